import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Builds and runs a Go program that prints `name<TAB>nanoseconds` lines, or says why it was not measured. Needs Debian's
 * golang-go and golang-github-google-gopacket-dev.
 */
export function runGo(program: string, args: readonly string[]): ReadonlyMap<string, number> | string {
  const folder = mkdtempSync(join(tmpdir(), 'go-'))
  try {
    const source = join(folder, 'main.go')
    writeFileSync(source, program)
    const env = {
      ...process.env,
      GO111MODULE: 'off',
      GOPATH: '/usr/share/gocode',
      GOCACHE: join(folder, 'cache'),
    }
    execFileSync('go', ['build', '-o', join(folder, 'main'), source], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const lines = execFileSync(join(folder, 'main'), args, { encoding: 'utf8' }).trim().split('\n')
    return new Map(lines.map((line) => [line.split('\t')[0] ?? '', Number(line.split('\t')[1])]))
  } catch (error) {
    return `Go was not measured: ${String(error).split('\n')[0]}`
  } finally {
    rmSync(folder, { recursive: true })
  }
}
