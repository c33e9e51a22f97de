import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { cluster } from '@podfabric/cluster'
import { type Namespace, type Operation, systemClock } from '@podfabric/kernel'
import { type LinuxKernel, linux } from '@podfabric/kernel-linux'
import { isDnsLabel } from '@podfabric/kube'
import { addressAt, ifAddressFrom, prefix } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { Failure } from '../failure.ts'
import { type LabOptions, refusedNetwork } from './create-lab.ts'
import type { Lab } from './lab.ts'
import { clearLab, clearNamespaces } from './left-namespaces.ts'
import { linkCaptures } from './link-captures.ts'

export interface LinuxLabOptions extends Omit<LabOptions, 'seed' | 'nodeMtu'> {
  /** Where its namespaces are bound, and nothing else is kept. Made, and taken away in the end. */
  readonly folder: string
}

/** The nodes' own network, inside of the namespaces only. */
const underlayPrefix = prefix('192.168.50.0/24')

/** Real time passes: a node that fails is given up after seconds, not Kubernetes' minutes. */
const nodeTimes = { heartbeat: 1_000, grace: 4_000, eviction: 2_000 }

/**
 * A cluster on this machine's kernel: nodes as network namespaces, joined by a bridge in one more, pods as namespaces beside them. The
 * machine's own network is not touched. Needs what `linuxAvailable` asks for.
 */
export async function linuxLab({ choice, nodes, log, folder }: LinuxLabOptions): Promise<Lab> {
  mkdirSync(folder, { mode: 0o700 })
  const machine = linux({ directory: join(folder, 'nodes') })
  const kernels = new Map<string, LinuxKernel>()
  const names = new Set<string>()
  const running = cluster({
    clock: systemClock,
    random: Math.random,
    log,
    store: memoryStore({ clock: systemClock }),
    plugins: choice.plugins,
    network: choice.network,
    nodeTimes,
  })
  let count = 0
  let named = 0

  async function onWire(work: (wire: Namespace) => Promise<void>): Promise<void> {
    const segment = await machine.netns.open(join(folder, 'nodes', 'wire'))
    const wire = machine.in(segment)
    try {
      await work(wire)
    } finally {
      await wire[Symbol.asyncDispose]()
      await segment[Symbol.asyncDispose]()
    }
  }

  function nextName(): string {
    do named++
    while (names.has(`node-${named}`))
    return `node-${named}`
  }

  function checkName(name: string): void {
    // Its namespace lies beside the wire's.
    if (!isDnsLabel(name) || name === 'wire')
      throw new Failure(
        'usage',
        `node ${name}: expected a name of a-z, 0-9 and "-", at most 63 long, with a letter or digit at both ends, and not "wire"`,
      )
    if (kernels.has(name)) throw new Failure('usage', `there is a node ${name} already; choose another name`)
  }

  async function plug(name: string, number: number): Promise<LinuxKernel> {
    const netns = await machine.netns.create(name)
    const kernel = linux({ host: netns.path, directory: join(folder, `pods-${name}`) })
    kernels.set(name, kernel)
    try {
      const peer = { name: 'eth0', netns } as const
      await onWire((wire) =>
        must(wire, [
          { op: 'link.add', link: { kind: 'veth', name: `port${number}`, bridge: 'wire', up: true, peer } },
        ]),
      )
      const node = kernel.in(kernel.netns.host)
      try {
        const address = ifAddressFrom(addressAt(underlayPrefix, number), 24)
        await must(node, [
          { op: 'link.set', name: 'lo', change: { up: true } },
          { op: 'link.set', name: 'eth0', change: { up: true } },
          { op: 'address.add', address: { link: 'eth0', address } },
        ])
      } finally {
        await node[Symbol.asyncDispose]()
      }
    } finally {
      await netns[Symbol.asyncDispose]()
    }
    return kernel
  }

  /** Its namespaces go, and with them whatever was in them. */
  async function unplug(name: string): Promise<void> {
    const kernel = kernels.get(name)
    if (!kernel) return
    kernels.delete(name)
    await kernel[Symbol.asyncDispose]()
    await clearNamespaces(join(folder, `pods-${name}`))
    await machine.netns.delete(name)
  }

  async function cut(name: string): Promise<void> {
    const kernel = kernels.get(name)
    if (!kernel) return
    const node = kernel.in(kernel.netns.host)
    try {
      await node.links.delete('eth0')
    } finally {
      await node[Symbol.asyncDispose]()
    }
  }

  async function addNode(name?: string): Promise<string> {
    if (name !== undefined) checkName(name)
    if (count === 254) throw new Failure('usage', 'the wire has room for 254 nodes')
    const number = ++count
    const chosen = name ?? nextName()
    names.add(chosen)
    try {
      const kernel = await plug(chosen, number)
      await running.addNode({ name: chosen, kernel, addresses: [addressAt(underlayPrefix, number)] })
    } catch (error) {
      await unplug(chosen)
      throw error
    }
    return chosen
  }

  async function close() {
    const errors: unknown[] = []
    const attempt = async (work: PromiseLike<unknown>) => {
      await Promise.resolve(work).catch((error: unknown) => errors.push(error))
    }
    await attempt(running.close())
    for (const kernel of kernels.values()) await attempt(kernel[Symbol.asyncDispose]())
    await attempt(machine[Symbol.asyncDispose]())
    await attempt(clearLab(folder))
    if (errors.length > 0) throw new AggregateError(errors, 'the namespaces did not go wholly')
  }

  const lab: Lab = {
    cluster: running,
    clock: systemClock,
    addNode,
    async failNode(name) {
      running.node(name)
      await cut(name)
      await running.crashNode(name)
      await unplug(name)
    },
    async removeNode(name) {
      await running.removeNode(name)
      await unplug(name)
    },
    watchHops: (listener) => linkCaptures(kernels, listener),
    close,
  }
  try {
    const segment = await machine.netns.create('wire')
    await segment[Symbol.asyncDispose]()
    await onWire((wire) =>
      must(wire, [
        { op: 'sysctl.set', name: 'net.ipv6.conf.all.disable_ipv6', value: '1' },
        { op: 'link.add', link: { kind: 'bridge', name: 'wire', up: true } },
      ]),
    )
    for (let i = 0; i < nodes; i++) await addNode()
  } catch (error) {
    await close().catch((left: unknown) => log.error('what had begun did not end', { error: left }))
    throw refusedNetwork(error, choice)
  }
  return lab
}

async function must(namespace: Namespace, operations: readonly Operation[]): Promise<void> {
  for (const outcome of await namespace.apply(operations)) if (!outcome.ok) throw outcome.error
}
