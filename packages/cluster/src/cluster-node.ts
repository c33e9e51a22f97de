import { type Agent, agent } from '@podfabric/agent'
import type { AddResult, Log, NetworkList, PluginFactory } from '@podfabric/cni'
import type { Clock, Kernel } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'
import { type Kubelet, kubelet } from './kubelet.ts'
import type { ObjectTable } from './object-table.ts'
import type { PodNetwork, SandboxId } from './pod-network.ts'
import type { WorkloadFactory } from './workload.ts'

export interface ClusterNodeOptions {
  readonly name: string
  readonly kernel: Kernel
  readonly store: Store
  readonly table: ObjectTable
  readonly plugins: Readonly<Record<string, PluginFactory>>
  readonly network: NetworkList
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly workloadFor: (image: string | undefined) => WorkloadFactory
  readonly heartbeat: { readonly every: number; readonly beat: () => void }
}

/** What runs on one node: the agent with the network's controllers, and the kubelet. */
export interface ClusterNode {
  readonly kernel: Kernel
  readonly agent: Agent
  readonly kubelet: Kubelet
}

/** Puts the node's network in order, gives back what an earlier life of the node left, then starts to run pods. */
export async function startNode(options: ClusterNodeOptions): Promise<ClusterNode> {
  const { name, kernel, network, plugins, log } = options
  const hosting = agent({ ...options, node: { name } })
  await hosting.start(network)
  // `lo` first, where there is a plugin for it, as container runtimes do; then the network's own interface.
  const lists = [
    ...(Object.hasOwn(plugins, 'loopback') ? [{ list: loopback, ifName: 'lo' }] : []),
    { list: network, ifName: 'eth0' },
  ]
  for (const { list } of lists) await detachAll(hosting, list, log)
  const podNetwork = podNetworkOf(hosting, lists)
  return { kernel, agent: hosting, kubelet: kubelet({ ...options, node: name, network: podNetwork }) }
}

interface Membership {
  readonly list: NetworkList
  readonly ifName: string
}

async function detachAll({ runtime }: Agent, network: NetworkList, log: Log): Promise<void> {
  for (const { containerId, ifName } of await runtime.attachments(network.name)) {
    await runtime
      .del(network, { containerId, ifName, netns: '' })
      .catch((error: unknown) =>
        log.warn('an old attachment could not be given back', { containerId, ifName, error }),
      )
  }
}

function podNetworkOf({ runtime }: Agent, lists: readonly Membership[]): PodNetwork {
  async function detach(sandbox: SandboxId) {
    const errors: unknown[] = []
    for (const { list, ifName } of lists.toReversed()) {
      await runtime.del(list, { ...sandbox, ifName }).catch((error: unknown) => errors.push(error))
    }
    const [first] = errors
    if (errors.length === 0) return
    throw errors.length === 1
      ? first
      : new AggregateError(errors, first instanceof Error ? first.message : String(first))
  }

  return {
    async attach(sandbox) {
      let result: AddResult = { interfaces: [], ips: [], routes: [] }
      try {
        for (const { list, ifName } of lists) result = await runtime.addOrUndo(list, { ...sandbox, ifName })
      } catch (error) {
        await detach(sandbox).catch((left: unknown) => {
          throw new AggregateError([error, left], error instanceof Error ? error.message : String(error))
        })
        throw error
      }
      return result
    },
    detach,
  }
}

const loopback: NetworkList = {
  cniVersion: '1.0.0',
  name: 'loopback',
  disableCheck: false,
  disableGc: false,
  loadOnlyInlinedPlugins: true,
  plugins: [{ type: 'loopback' }],
}
