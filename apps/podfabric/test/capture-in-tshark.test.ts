import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { captureFile } from '@podfabric/trace'
import { describe, expect, it, onTestFinished } from 'vitest'
import { proofs, prove } from '../src/demo/demo.ts'
import { loadManifests } from '../src/manifests.ts'
import { choosePlugins } from '../src/plugins.ts'

const run = promisify(execFile)
const tshark = await run('tshark', ['-v']).then(
  () => true,
  () => false,
)
const quiet = { line: () => undefined, note: () => undefined }

describe.skipIf(!tshark)(`tshark${tshark ? '' : ' (skipped: tshark is not installed)'}`, () => {
  it('reads what the demo captures: no malformed frame, no wrong checksum, VXLAN with the pods’ packets inside', {
    timeout: 120_000,
  }, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'podfabric-tshark-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'demo.pcapng')
    const manifests = await loadManifests([fileURLToPath(new URL('../manifests', import.meta.url))], quiet)
    const blocks: Uint8Array[] = []
    const capture = captureFile((block) => blocks.push(block), { application: 'test' })
    let frames = 0
    await prove(manifests, await choosePlugins({ folder }), proofs, {
      seed: 1,
      output: quiet,
      onHop: (hop) => {
        if (capture.add(hop)) frames++
      },
    })
    writeFileSync(file, Buffer.concat(blocks))
    expect(frames).toBeGreaterThan(1000)

    const filters = {
      all: 'frame',
      malformed: '_ws.malformed || _ws.short',
      checksums:
        'ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0',
      errors: '_ws.expert.severity >= 8388608', // error, and above it nothing but comments
      vxlan: 'vxlan && icmp && ip.addr == 10.244.0.0/16',
    }
    const found = await framesPassing(file, Object.values(filters))
    const counts = Object.fromEntries(Object.keys(filters).map((name, i) => [name, found[i]]))
    expect(counts).toEqual({
      all: frames,
      malformed: 0,
      checksums: 0,
      errors: 0,
      vxlan: expect.any(Number),
    })
    expect(counts.vxlan).toBeGreaterThan(10)
  })
})

/** How many frames pass each filter; with every checksum verified. The tunnel's port is Linux', not the registered one. */
async function framesPassing(file: string, filters: readonly string[]): Promise<readonly number[]> {
  const preferences = ['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`])
  const options = [...preferences, '-d', 'udp.port==8472,vxlan']
  return Promise.all(
    filters.map(async (filter) => {
      const given = ['-n', '-r', file, ...options, '-Y', filter, '-T', 'fields', '-e', 'frame.number']
      const { stdout } = await run('tshark', given, { maxBuffer: 1 << 28 })
      return stdout.split('\n').filter((line) => line !== '').length
    }),
  )
}
