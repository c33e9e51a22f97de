import { cluster } from '@podfabric/cluster'
import type { Log } from '@podfabric/cni'
import { simulate } from '@podfabric/kernel-sim'
import { isDnsLabel } from '@podfabric/kube'
import { addressAt, type Ip, ifAddressFrom, prefix } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { explain, Failure } from '../failure.ts'
import type { PodNetworkChoice } from '../plugins.ts'
import type { Lab } from './lab.ts'

export interface LabOptions {
  readonly choice: PodNetworkChoice
  /** How many nodes to begin with. */
  readonly nodes: number
  readonly seed: number
  readonly log: Log
  /** MTU of the nodes' cards, in octets; the wire between them carries 1500. Default 1500. */
  readonly nodeMtu?: number
}

/** The nodes' own network: one wire, half a millisecond long. */
const underlayPrefix = prefix('192.168.50.0/24')
const wire = { mtu: 1500, latency: 0.5 }

/** A simulated cluster: nodes on one wire, a store that all share, and the pod network that was chosen. */
export async function createLab({ choice, nodes, seed, log, nodeMtu = wire.mtu }: LabOptions): Promise<Lab> {
  const network = simulate({ seed, log: { error: (message, error) => log.error(message, { error }) } })
  const underlay = network.underlay(wire)
  const { clock, random } = network
  const running = cluster({
    clock,
    random,
    log,
    store: memoryStore({ clock }),
    plugins: choice.plugins,
    network: choice.network,
  })
  let count = 0
  let named = 0

  function nextAddress(): Ip {
    count++
    if (count > 254) throw new Failure('usage', `node ${count}: the simulated wire has room for 254`)
    return addressAt(underlayPrefix, count)
  }

  function checkName(name: string): void {
    if (!isDnsLabel(name))
      throw new Failure(
        'usage',
        `node ${name}: expected a name of a-z, 0-9 and "-", at most 63 long, with a letter or digit at both ends`,
      )
    if (network.nodes().includes(name))
      throw new Failure('usage', `there is a node ${name} already; choose another name`)
  }

  /** Names are not used again: a node that is gone is still spoken of. */
  function nextName(): string {
    do named++
    while (network.nodes().includes(`node-${named}`))
    return `node-${named}`
  }

  /** Off the wire: nothing of it is heard any more. */
  function unplug(name: string): void {
    if (!network.nodes().includes(name)) return
    underlay.cut(name)
    network.remove(name)
  }

  async function addNode(name?: string): Promise<string> {
    if (name !== undefined) checkName(name)
    const address = nextAddress()
    const chosen = name ?? nextName()
    const kernel = network.node(chosen)
    underlay.attach(chosen, { mtu: nodeMtu, addresses: [ifAddressFrom(address, 24)] })
    try {
      await running.addNode({ name: chosen, kernel, addresses: [address] })
    } catch (error) {
      unplug(chosen)
      throw error
    }
    return chosen
  }

  const lab: Lab = {
    cluster: running,
    clock,
    addNode,
    async failNode(name) {
      // The cable first: nothing of what ends with the node is heard outside.
      if (network.nodes().includes(name)) underlay.cut(name)
      await running.crashNode(name)
      network.remove(name)
    },
    async removeNode(name) {
      await running.removeNode(name)
      unplug(name)
    },
    async watchHops(listener) {
      const watch = network.on('hop', listener)
      return { [Symbol.asyncDispose]: async () => watch[Symbol.dispose]() }
    },
    close: () => running.close(),
  }
  try {
    for (let i = 0; i < nodes; i++) await addNode()
  } catch (error) {
    await lab.close().catch((left: unknown) => log.error('what had begun did not end', { error: left }))
    throw refusedNetwork(error, choice)
  }
  return lab
}

/** What a plugin says of its keys names the key; whoever wrote it wants to know the file too. */
export function refusedNetwork(error: unknown, { source }: PodNetworkChoice): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (source === undefined || code !== 'CNI_INVALID_NETWORK_CONFIG') return error
  return new Failure('usage', `${source}: ${explain(error).join('\n')}`, { cause: error })
}
