// A whole ADD and DEL of `bridge` with `host-local`, in process on Linux over a memory store, through the same edge as an
// executable: environment and configuration in, JSON out. Beside Debian's Go plugins executed as a runtime does, and the
// bare netlink messages from C. Wall time, interleaved in one run. Needs root or user namespaces, and cc; Go is left out
// where it is not installed. Everything is in a namespace of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '@podfabric/cni'
import { inProcess } from '@podfabric/cni/runtime'
import { systemClock } from '@podfabric/kernel'
import { linux } from '@podfabric/kernel-linux'
import { memoryStore, scoped } from '@podfabric/store'
import { deletions, hasGo, inScratch, peers, report } from '../../../packages/kernel-linux/bench/peers.ts'
import { shippedPlugins } from '../src/plugins.ts'

const ROUNDS = 8
const PER_ROUND = 20
const quiet = () => undefined
const log: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet }

if (inScratch()) {
  const folder = mkdtempSync(join(tmpdir(), 'add-bench-'))
  try {
    await measure(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(folder: string): Promise<void> {
  const kernel = linux({ directory: join(folder, 'netns'), deletions })
  const node = kernel.in(kernel.netns.host)
  await node.links.add({ kind: 'bridge', name: 'fl0', up: true })
  const { floorAdd, go } = peers(folder)

  const store = memoryStore({ clock: systemClock })
  const plugins = inProcess({
    plugins: shippedPlugins,
    context: (network) => ({
      kernel,
      store: scoped(store, `${network}/`),
      clock: systemClock,
      random: Math.random,
      log,
      node: { name: 'node' },
    }),
  })
  const conf = JSON.stringify({
    cniVersion: '1.0.0',
    name: 'ours',
    type: 'bridge',
    bridge: 'pf0',
    isDefaultGateway: true,
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.252.0.0/16' }]] },
  })
  const call = async (CNI_COMMAND: string, CNI_CONTAINERID: string, CNI_NETNS: string) => {
    const env = { CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME: 'eth0', CNI_PATH: '/nowhere' }
    const { exitCode, stdout } = await plugins.run('bridge', env, conf)
    if (exitCode !== 0) throw new Error(`${CNI_COMMAND}: ${String(stdout)}`)
  }
  const pod = async (name: string) => {
    const netns = await kernel.netns.create(name)
    await netns[Symbol.asyncDispose]()
    return netns.path
  }

  const add = { ours: [] as number[], floor: [] as number[], go: [] as number[] }
  const del = { ours: [] as number[], go: [] as number[] }
  let n = 2
  // The first two rounds warm up.
  for (let round = -2; round < ROUNDS; round++) {
    const first = n
    const mine: string[] = []
    const floors: string[] = []
    const calls: { containerId: string; netns: string }[] = []
    for (let i = 0; i < PER_ROUND; i++, n++) {
      mine.push(await pod(`a${n}`))
      floors.push(await pod(`b${n}`))
      if (hasGo) calls.push({ containerId: `c${n}`, netns: await pod(`c${n}`) })
    }
    const ours: number[] = []
    for (const [i, netns] of mine.entries()) ours.push(await timed(() => call('ADD', `a${first + i}`, netns)))
    const floor = floorAdd('fl0', first, floors)
    const goAdd = hasGo ? go('ADD', calls) : []
    const oursDel: number[] = []
    for (const [i, netns] of mine.entries()) {
      oursDel.push(await timed(() => call('DEL', `a${first + i}`, netns)))
    }
    const goDel = hasGo ? go('DEL', calls) : []
    for (let i = 0; i < PER_ROUND; i++) await node.links.delete(`fl${first + i}`)
    if (round < 0) continue
    add.ours.push(...ours)
    add.floor.push(...floor)
    add.go.push(...goAdd)
    del.ours.push(...oursDel)
    del.go.push(...goDel)
  }
  const goRow = (times: number[]) => (hasGo ? ([['Go bridge + host-local, executed', times]] as const) : [])
  report('ADD of bridge + host-local, in process', [
    ['Podfabric', add.ours],
    ['the bare netlink messages from C', add.floor],
    ...goRow(add.go),
  ])
  report('DEL of bridge + host-local, one after the other', [['Podfabric', del.ours], ...goRow(del.go)])

  await node[Symbol.asyncDispose]()
  for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
  await kernel[Symbol.asyncDispose]()
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}
