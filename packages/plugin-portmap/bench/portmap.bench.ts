// ADD and DEL of one published port on Linux, on a node where one port is published already and on one with 5,000, interleaved
// in one run. In process over a memory store. Wall time. Needs root or user namespaces; everything is in namespaces of its own.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inProcess } from '@podfabric/cni/runtime'
import { keptLog } from '@podfabric/cni/testing'
import { systemClock } from '@podfabric/kernel'
import { type LinuxKernel, linux } from '@podfabric/kernel-linux'
import { ifAddress } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { inScratch } from '../../kernel-linux/bench/peers.ts'
import portmap from '../src/portmap.ts'

const MANY = 5000
const CONTAINERS = 50
const ROUNDS = 300

if (inScratch()) {
  const folder = mkdtempSync(join(tmpdir(), 'portmap-bench-'))
  try {
    await measure(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function measure(folder: string): Promise<void> {
  const machine = linux({ directory: join(folder, 'nodes') })
  const few = await nodeWith('few', 1)
  const many = await nodeWith('many', CONTAINERS)
  const times = {
    few: { add: [] as number[], del: [] as number[] },
    many: { add: [] as number[], del: [] as number[] },
  }
  for (let round = -30; round < ROUNDS; round++) {
    for (const [name, call] of [
      ['few', few.call],
      ['many', many.call],
    ] as const) {
      const began = performance.now()
      await call('ADD', 'measured', [60_000])
      const between = performance.now()
      await call('DEL', 'measured', [60_000])
      const ended = performance.now()
      if (round < 0) continue
      times[name].add.push(between - began)
      times[name].del.push(ended - between)
    }
  }
  for (const verb of ['add', 'del'] as const) {
    const [one, all] = [median(times.few[verb]), median(times.many[verb])]
    const ratio = (all / one).toFixed(2)
    console.log(
      `${verb.toUpperCase()} of one port: ${one.toFixed(3)} ms with 1 published, ${all.toFixed(3)} ms with ${MANY}: ratio ${ratio}`,
    )
  }
  for (const { kernel } of [few, many]) await kernel[Symbol.asyncDispose]()
  for (const { name } of await machine.netns.list()) await machine.netns.delete(name)
  await machine[Symbol.asyncDispose]()

  async function nodeWith(name: string, containers: number) {
    const netns = await machine.netns.create(name)
    const kernel = linux({ host: netns.path, directory: join(folder, `of-${name}`) })
    await netns[Symbol.asyncDispose]()
    const node = kernel.in(kernel.netns.host)
    await node.links.add({ kind: 'bridge', name: 'cni0', up: true })
    await node.addresses.add({ link: 'cni0', address: ifAddress('10.88.0.1/16') })
    await node[Symbol.asyncDispose]()
    const call = callOn(kernel)
    const each = containers === 1 ? 1 : MANY / containers
    for (let i = 0; i < containers; i++) {
      await call(
        'ADD',
        `c${i}`,
        Array.from({ length: each }, (_, n) => 1 + i * each + n),
      )
    }
    return { kernel, call }
  }
}

function callOn(kernel: LinuxKernel) {
  const context = {
    kernel,
    store: memoryStore({ clock: systemClock }),
    clock: systemClock,
    log: keptLog().log,
    random: Math.random,
    node: { name: 'node' },
  }
  const exec = inProcess({ plugins: { portmap }, context: () => context })
  return async (CNI_COMMAND: string, CNI_CONTAINERID: string, ports: readonly number[]) => {
    const env = { CNI_COMMAND, CNI_CONTAINERID, CNI_NETNS: '/none', CNI_IFNAME: 'eth0', CNI_PATH: '/none' }
    const portMappings = ports.map((hostPort) => ({ hostPort, containerPort: 80, protocol: 'tcp' }))
    const { exitCode, stdout } = await exec.run(
      'portmap',
      env,
      JSON.stringify({
        cniVersion: '1.0.0',
        name: 'net',
        type: 'portmap',
        runtimeConfig: { portMappings },
        prevResult: {
          cniVersion: '1.0.0',
          interfaces: [{ name: 'eth0', sandbox: '/none' }],
          ips: [{ address: '10.88.0.2/16', interface: 0 }],
        },
      }),
    )
    if (exitCode !== 0) throw new Error(`${CNI_COMMAND}: ${stdout}`)
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}
