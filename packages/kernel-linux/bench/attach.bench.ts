// The kernel's part of one pod: bridge port, veth pair, address and default route, through this package, beside the same
// messages from C (the floor) and Debian's Go `bridge` + `host-local` executed as a runtime does. Wall time, interleaved in
// one run. Where a link is deleted, we answer when it is gone; C and Go when the kernel has also waited for all processors,
// which ours does on another thread. Then a thousand pods with their namespaces. Needs root or user namespaces, and cc; Go is left out where it is
// not installed. Everything is in a namespace of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Namespace, type Operation, ownership } from '@podfabric/kernel'
import { type IfAddress, ifAddress, ip, prefix } from '@podfabric/netaddr'
import { linux } from '../src/linux.ts'
import { deletions, hasGo, inScratch, type Peers, peers, quantile, report } from './peers.ts'

const ROUNDS = 8
const PER_ROUND = 25
const MANY = 1000
/** One bridge takes 1,023 ports. */
const PER_BRIDGE = 1000
const NODE_FULL = 1100
/** As many ports are left on the full bridge, for C. */
const SPARE = 20

const gateway = ip('10.250.0.1')
const everywhere = prefix('0.0.0.0/0')
const addressOf = (i: number): IfAddress => ifAddress(`10.250.${i >> 8}.${i & 255}/16`)

if (inScratch()) {
  const folder = mkdtempSync(join(tmpdir(), 'attach-bench-'))
  try {
    await measure(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(folder: string): Promise<void> {
  const kernel = linux({ directory: join(folder, 'netns'), deletions })
  const node = kernel.in(kernel.netns.host)
  const bridge = (name: string): Operation => ({ op: 'link.add', link: { kind: 'bridge', name, up: true } })
  must(await node.apply([bridge('pf0'), bridge('fl0'), { op: 'link.set', name: 'lo', change: { up: true } }]))

  const pod: Pod = async (name, ipv6) => {
    const netns = await kernel.netns.create(name)
    if (ipv6 === 'off in the pods') {
      const inside = kernel.in(netns)
      await inside.sysctl.set('net.ipv6.conf.default.disable_ipv6', '1')
      await inside[Symbol.asyncDispose]()
    }
    await netns[Symbol.asyncDispose]()
    return netns.path
  }
  const attach = async (i: number, path: string, to: string): Promise<void> => {
    const netns = await kernel.netns.open(path)
    const inside = kernel.in(netns)
    const outside = kernel.in(kernel.netns.host)
    try {
      const link = {
        kind: 'veth',
        name: `pf${i}`,
        bridge: to,
        up: true,
        alias: `podfabric:bench/${i}`,
        peer: { name: 'eth0', netns },
      } as const
      must(await outside.apply([{ op: 'link.add', link }]))
      must(
        await inside.apply([
          { op: 'link.set', name: 'eth0', change: { up: true } },
          { op: 'address.add', address: { link: 'eth0', address: addressOf(i) } },
          {
            op: 'route.add',
            route: { destination: everywhere, gateway, link: 'eth0', protocol: ownership.routeProtocol },
          },
        ]),
      )
    } finally {
      await outside[Symbol.asyncDispose]()
      await inside[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
    }
  }

  const beside = peers(folder)
  await compare(node, beside, pod, attach)
  for (const ipv6 of ['as the kernel has it', 'off in the pods'] as const) {
    await crowd(node, beside, pod, attach, ipv6)
  }

  await node[Symbol.asyncDispose]()
  for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
  await kernel[Symbol.asyncDispose]()
}

type Pod = (name: string, ipv6?: string) => Promise<string>
type Attach = (i: number, path: string, bridge: string) => Promise<void>

async function compare(
  node: Namespace,
  { floorAdd, floorDelete, go, goTogether }: Peers,
  pod: Pod,
  attach: Attach,
) {
  const add = { ours: [] as number[], floor: [] as number[], go: [] as number[] }
  const del = { ours: [] as number[], floor: [] as number[], go: [] as number[] }
  const together = { ours: [] as number[], go: [] as number[] }
  let n = 2
  for (let round = -1; round < ROUNDS; round++) {
    const numbers = Array.from({ length: PER_ROUND }, () => n++)
    const paths = async (of: string) => {
      const list: string[] = []
      for (const i of numbers) list.push(await pod(`${of}${i}`))
      return list
    }
    const [mine, floors, goes] = [await paths('a'), await paths('b'), hasGo ? await paths('c') : []]
    const calls = goes.map((netns, i) => ({ containerId: `c${numbers[i]}`, netns }))
    const addMine: number[] = []
    for (const [at, i] of numbers.entries()) addMine.push(await timed(() => attach(i, mine[at] ?? '', 'pf0')))
    const first = numbers[0] ?? 0
    const addFloor = floorAdd('fl0', first, floors)
    const addGo = hasGo ? go('ADD', calls) : []

    // Half one after the other, half all at once.
    const half = PER_ROUND >> 1
    const delMine: number[] = []
    for (const i of numbers.slice(0, half)) delMine.push(await timed(() => node.links.delete(`pf${i}`)))
    const rest = numbers.slice(half)
    const all = await timed(() => Promise.all(rest.map((i) => node.links.delete(`pf${i}`))))
    const delFloor = floorDelete(first, PER_ROUND)
    const delGo = hasGo ? go('DEL', calls.slice(0, half)) : []
    const allGo = hasGo ? await goTogether('DEL', calls.slice(half), 4) : 0
    // The first round warms up.
    if (round < 0) continue
    add.ours.push(...addMine)
    add.floor.push(...addFloor)
    add.go.push(...addGo)
    del.ours.push(...delMine)
    del.floor.push(...delFloor)
    del.go.push(...delGo)
    together.ours.push(all / rest.length)
    together.go.push(allGo / rest.length)
  }
  const goRow = (times: number[]) => (hasGo ? ([['Go bridge + host-local, executed', times]] as const) : [])
  const names = { ours: '@podfabric/kernel-linux', floor: 'the same messages from C' }
  report('attach one pod', [[names.ours, add.ours], [names.floor, add.floor], ...goRow(add.go)])
  report('detach pods one after the other', [
    [names.ours, del.ours],
    [names.floor, del.floor],
    ...goRow(del.go),
  ])
  report(`detach ${PER_ROUND - (PER_ROUND >> 1)} pods at once (Go: four at a time), for each`, [
    [names.ours, together.ours],
    ...goRow(together.go),
  ])
}

/**
 * A thousand pods with their namespaces, from nothing, and more than one bridge takes. What a full bridge costs is the kernel's:
 * it looks at each port when one comes, and floods what each pod's IPv6 says (MLD, duplicate address detection, router
 * solicitations) to all of them. So once with IPv6 as the kernel has it, once without in the pods, and C on the full bridge.
 */
async function crowd(
  node: Namespace,
  { floorAdd }: Peers,
  pod: Pod,
  attach: Attach,
  ipv6: 'as the kernel has it' | 'off in the pods',
): Promise<void> {
  const base = ipv6 === 'off in the pods' ? 20000 : 10000
  const times: number[] = []
  const before = process.memoryUsage().rss
  const began = performance.now()
  let total = 0
  let full: { ours: number[]; floor: readonly number[] } = { ours: [], floor: [] }
  for (let i = 0; i < NODE_FULL; i++) {
    const bridge = `many${base + Math.floor(i / PER_BRIDGE)}`
    if (i % PER_BRIDGE === 0) await node.links.add({ kind: 'bridge', name: bridge, up: true })
    const path = await pod(`many${base + i}`, ipv6)
    times.push(await timed(() => attach(base + i, path, bridge)))
    if (i + 1 === MANY) {
      total = performance.now() - began
      full = { ours: times.slice(-SPARE), floor: await onFull(bridge, base + 5000) }
    }
  }
  const first = quantile(times.slice(0, 100), 0.5)
  const last = quantile(times.slice(MANY - 100, MANY), 0.5)
  const grown = (process.memoryUsage().rss - before) / 2 ** 20
  console.log(`${MANY} pods, namespaces included, IPv6 ${ipv6}: ${(total / 1000).toFixed(2)} s`)
  console.log(
    `  first hundred p50 ${first.toFixed(2)} ms, last ${last.toFixed(2)} ms: ${(last / first).toFixed(2)}x`,
  )
  report('  one more on the full bridge', [
    ['@podfabric/kernel-linux', full.ours],
    ['the same messages from C', full.floor],
  ])
  console.log(`  ${NODE_FULL} pods on two bridges; resident memory grew by ${grown.toFixed(1)} MiB`)
  const removing = await timed(() => Promise.all(times.map((_, i) => node.links.delete(`pf${base + i}`))))
  const each = removing / NODE_FULL
  console.log(`  all detached at once: ${(removing / 1000).toFixed(2)} s, ${each.toFixed(2)} ms each`)

  async function onFull(bridge: string, from: number): Promise<readonly number[]> {
    const paths: string[] = []
    for (let i = 0; i < SPARE; i++) paths.push(await pod(`spare${from + i}`, ipv6))
    return floorAdd(bridge, from, paths)
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function must(outcomes: Awaited<ReturnType<Namespace['apply']>>): void {
  for (const outcome of outcomes) if (!outcome.ok) throw outcome.error
}
