import { cluster } from '@podfabric/cluster'
import type { Log } from '@podfabric/cni'
import { simulate } from '@podfabric/kernel-sim'
import { addressAt, type Ip, ifAddressFrom, prefix } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { Failure } from '../failure.ts'
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

  function nextAddress(): Ip {
    count++
    if (count > 254) throw new Failure('usage', `node ${count}: the simulated wire has room for 254`)
    return addressAt(underlayPrefix, count)
  }

  async function addNode(name?: string): Promise<string> {
    const address = nextAddress()
    const chosen = name ?? `node-${count}`
    if (network.nodes().includes(chosen))
      throw new Failure('usage', `there is a node ${chosen} already, or there was one`)
    const kernel = network.node(chosen)
    underlay.attach(chosen, { mtu: nodeMtu, addresses: [ifAddressFrom(address, 24)] })
    try {
      await running.addNode({ name: chosen, kernel, addresses: [address] })
    } catch (error) {
      network.remove(chosen)
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
    onHop: (listener) => network.on('hop', listener),
    close: () => running.close(),
  }
  for (let i = 0; i < nodes; i++) await addNode()
  return lab
}
