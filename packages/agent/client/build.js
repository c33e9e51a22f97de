// Builds the thin client for each architecture that there is a C compiler for, into dist/client. Everything works without it: an
// executable then starts Node for each call. What is not built is said, with the reason.
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const native = { x64: 'x86_64', arm64: 'aarch64' }
const flags = ['-std=c11', '-Os', '-static', '-s', '-Wall', '-Wextra', '-Werror']

for (const [arch, machine] of Object.entries(native)) {
  // musl makes it small; a compiler without a prefix is for this machine only.
  const own = process.platform === 'linux' && process.arch === arch ? ['musl-gcc', 'cc'] : []
  const compilers = [...own, `${machine}-linux-musl-gcc`, `${machine}-linux-gnu-gcc`]
  const folder = join(here, '../dist/client', `linux-${arch}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const reasons = []
  const built = compilers.find((compiler) => {
    const file = join(folder, 'podfabric-cni')
    const { error, status, stderr } = spawnSync(compiler, [...flags, '-o', file, join(here, 'client.c')], {
      encoding: 'utf8',
    })
    if (error === undefined && status === 0) return true
    reasons.push(error === undefined ? `${compiler}: ${stderr.trim()}` : `${compiler} is not there`)
    return false
  })
  if (built === undefined) {
    rmSync(folder, { recursive: true, force: true })
    console.log(`the thin client for linux-${arch} is not built: ${reasons.join('; ')}`)
  }
}
