import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { referenceConfig } from './fixtures/reference-plugin.ts'

const here = (path: string) => new URL(path, import.meta.url).pathname
const folder = mkdtempSync(join(tmpdir(), 'cni-conformance-test-'))
afterAll(() => rmSync(folder, { recursive: true }))
const config = join(folder, 'net.conflist')
writeFileSync(config, JSON.stringify(referenceConfig))
const module = here('./fixtures/reference-module.ts')
const flags = ['--conditions=@podfabric/source', '--disable-warning=ExperimentalWarning']

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function command(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...flags, here('../src/bin.ts'), ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : 1, stdout, stderr })
    })
  })
}

const reference = ['--plugin', module, '--config', config]

describe('cni-conformance', { timeout: 60_000 }, () => {
  it('exits with 0 and prints a table when every MUST holds', async () => {
    const { code, stdout } = await command(...reference, '--only', 'del.idempotent,version')
    expect(stdout).toContain('✔ del.idempotent')
    expect(stdout).toMatch(/PASS: every MUST that applies holds \(10 cases passed\)/)
    expect(code).toBe(0)
  })

  it('exits with 1 when a MUST fails, and says how to run the case again', async () => {
    const broken = join(folder, 'broken.conflist')
    writeFileSync(broken, JSON.stringify({ ...referenceConfig, plugins: [{ type: 'reference' }] }))
    const args = ['--plugin', module, '--config', broken, '--only', 'add.one-document', '--seed', '7']
    const { code, stdout } = await command(...args)
    expect(stdout).toContain('nodes: expected an object')
    expect(stdout).toContain(`--config ${broken} --only add.one-document --seed 7`)
    expect(code).toBe(1)
  })

  it('exits with 3 when no case applies', async () => {
    const { code, stdout } = await command(...reference, '--only', 'ipam.short-result')
    expect(stdout).toContain('nothing is proven')
    expect(code).toBe(3)
  })

  it.each([
    ['an option that there is not', ['--bogus'], '--bogus'],
    ['no plugin', ['--config', config], '--plugin is missing'],
    ['no configuration', ['--plugin', module], '--config is missing'],
    [
      'a case that there is not',
      [...reference, '--only', 'del.nothing'],
      'there is no case or family del.nothing',
    ],
    ['a package that there is not', ['--plugin', '@nobody/nothing', '--config', config], '@nobody/nothing'],
    [
      'a module without a factory',
      ['--plugin', here('./fixtures/reference-plugin.ts'), '--config', config],
      'no plugin factory',
    ],
    ['a file that there is not', ['--plugin', module, '--config', join(folder, 'none')], 'ENOENT'],
    ['a seed that is no number', [...reference, '--seed', 'x'], '--seed x'],
    [
      'an executable on simulated kernels',
      ['--plugin', '/bin/true', '--config', config, '--kernel', 'sim'],
      'true',
    ],
  ])('exits with 2 for %s', async (_what, args, message) => {
    const { code, stderr, stdout } = await command(...args)
    expect(stderr).toContain(message)
    expect(stdout).toBe('')
    expect(code).toBe(2)
  })

  it('prints JSON and JUnit', async () => {
    const json = await command(
      ...reference,
      '--only',
      'del.quiet,gc.unsupported-is-reported',
      '--report',
      'json',
    )
    const report = JSON.parse(json.stdout)
    expect(report.verdict.ok).toBe(true)
    expect(report.results.map(({ status }: { status: string }) => status)).toEqual([
      'passed',
      'not applicable',
    ])
    const junit = await command(...reference, '--only', 'del.quiet', '--report', 'junit')
    expect(junit.stdout).toContain('<testsuite name="del" tests="1" failures="0" errors="0" skipped="0">')
  })

  it('lists its cases and shows its usage', async () => {
    const list = await command('--list')
    expect(list.stdout).toContain('del.idempotent')
    expect(list.code).toBe(0)
    expect((await command('--help')).stdout).toContain('Examples:')
  })

  it('grades an executable of Podfabric, served by an agent on simulated kernels', async () => {
    const executable = join(folder, 'reference')
    const entry = here('./fixtures/reference-executable.ts')
    writeFileSync(executable, `#!/bin/sh\nexec '${process.execPath}' ${flags.join(' ')} '${entry}'\n`)
    chmodSync(executable, 0o755)
    const only = 'version.output,add.one-document,add.missing-variable,del.quiet,connectivity.same-node'
    const args = ['--plugin', executable, '--config', config, '--serve', '--with', module, '--only', only]
    const { code, stdout } = await command(...args)
    expect(stdout).toContain('5 passed, 0 failed')
    expect(code).toBe(0)
  })
})
