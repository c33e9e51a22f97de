// Adding one element to a map, and deleting it again, with 10 and with 10,000 elements in the map. Wall time, interleaved in
// one run. Needs root, or `unshare -Urnm`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Namespace, NftCommand, NftMapping, NftObject } from '@podfabric/kernel'
import { linux } from '../src/linux.ts'

const ROUNDS = 200
const COUNTS = [10, 10_000] as const
const place = { family: 'inet', table: 't' } as const
const type = ['ipv4_addr', 'inet_proto', 'inet_service'] as const
const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
const element = (i: number, to: NftMapping['to']): NftMapping => ({
  key: [`10.96.${(i >> 8) & 255}.${i & 255}`, 'tcp', 80],
  to,
})
const kinds = {
  'a target': { map: 'targets', to: ['10.1.0.1', 8080] },
  'a verdict that jumps': { map: 'verdicts', to: { jump: 'other' } },
} as const

const directory = mkdtempSync(join(tmpdir(), 'nft-map-bench-'))
const kernel = linux({ directory })

async function bed(count: number): Promise<Namespace> {
  const netns = await kernel.netns.create(`with-${count}`)
  const at = kernel.in(netns)
  await netns[Symbol.asyncDispose]()
  const base = { type: 'nat', hook: 'prerouting', priority: -100 } as const
  const key = ['ip daddr', 'meta l4proto', 'th dport'] as const
  await at.nft.apply([
    add({ kind: 'table', family: 'inet', name: 't' }),
    add({ kind: 'chain', ...place, name: 'other' }),
    add({ kind: 'chain', ...place, name: 'c', base }),
    add({ kind: 'map', ...place, name: 'targets', type, to: ['ipv4_addr', 'inet_service'] }),
    add({ kind: 'map', ...place, name: 'verdicts', type, to: 'verdict' }),
    add({ kind: 'rule', ...place, chain: 'c', expressions: [{ vmap: { key, map: 'verdicts' } }] }),
    add({
      kind: 'rule',
      ...place,
      chain: 'c',
      expressions: [{ dnat: { family: 'ip', key, map: 'targets' } }],
    }),
  ])
  for (const { map, to } of Object.values(kinds)) {
    const elements = Array.from({ length: count }, (_, i) => element(i, to))
    await at.nft.apply([add({ kind: 'elements', ...place, map, elements })])
  }
  return at
}

const beds = [await bed(COUNTS[0]), await bed(COUNTS[1])] as const
try {
  for (const [name, { map, to }] of Object.entries(kinds)) {
    const times: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      for (const which of [0, 1] as const) {
        const object = { kind: 'elements', ...place, map, elements: [element(20_000 + round, to)] } as const
        const before = process.hrtime.bigint()
        await beds[which].nft.apply([add(object)])
        times[which].push(Number(process.hrtime.bigint() - before) / 1000)
        await beds[which].nft.apply([{ verb: 'delete', object }])
      }
    }
    const [few = 0, many = 0] = times.map((list) => list.sort((a, b) => a - b)[ROUNDS >> 1])
    console.log(`one element, ${name}`)
    console.log(
      `  with ${COUNTS[1]} others ${many.toFixed(1)} us, with ${COUNTS[0]} ${few.toFixed(1)} us: ${(many / few).toFixed(2)}x`,
    )
  }
} finally {
  for (const at of beds) await at[Symbol.asyncDispose]()
  for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
  await kernel[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
}
