import type { Kernel } from '@podfabric/kernel'
import type { Node } from '@podfabric/kube'
import type { Ip } from '@podfabric/netaddr'
import { isDnsPod } from './cluster-dns.ts'
import { ClusterError } from './cluster-error.ts'
import { type ClusterNode, type ClusterNodeOptions, startNode } from './cluster-node.ts'
import { type NodeTimes, nodeLifecycle, podsOn } from './node-lifecycle.ts'
import { deletePod } from './pod-deletion.ts'

export interface JoiningNode {
  readonly name: string
  readonly kernel: Kernel
  /** The node's own addresses; pods with `hostNetwork` have them. The network finds its own. */
  readonly addresses: readonly Ip[]
  readonly labels?: Readonly<Record<string, string>>
}

/** The nodes of a cluster: who joins, drains, leaves and dies. */
export interface ClusterNodes {
  join(node: JoiningNode): Promise<void>
  drain(name: string): void
  uncordon(name: string): void
  remove(name: string): Promise<void>
  crash(name: string): Promise<void>
  /** CLUSTER_NOT_FOUND. */
  get(name: string): ClusterNode
  find(name: string): ClusterNode | undefined
  names(): readonly string[]
  /** Pods that are on crashed nodes, and have not been given up yet, a sentence each. */
  lost(): readonly string[]
  /** Ends all pods and controllers. Ends all, then throws what failed. */
  close(): Promise<void>
}

export interface ClusterNodesOptions extends Omit<ClusterNodeOptions, 'name' | 'kernel' | 'heartbeat'> {
  readonly times: NodeTimes
}

export function clusterNodes({ times, ...options }: ClusterNodesOptions): ClusterNodes {
  const { table, clock, log } = options
  const lifecycle = nodeLifecycle(table, clock, times)
  const nodes = new Map<string, ClusterNode>()
  const joining = new Set<string>()
  const crashed = new Set<string>()

  function get(name: string): ClusterNode {
    const found = nodes.get(name)
    if (found) return found
    const known = [...nodes.keys()].join(', ') || 'none'
    const state = crashed.has(name) ? `node ${name} has crashed` : `there is no node ${name}`
    throw new ClusterError('CLUSTER_NOT_FOUND', `${state}; there are ${known}`)
  }

  function cordon(name: string, unschedulable: boolean) {
    get(name)
    const object = table.get('Node', name)
    if (object) table.put({ ...object, spec: { ...object.spec, unschedulable } })
  }

  function forget(name: string) {
    lifecycle.forget(name)
    crashed.delete(name)
    table.remove('Node', name)
  }

  async function start({ name, kernel, addresses, labels = {} }: JoiningNode) {
    const before = table.get('Node', name)
    try {
      table.put(nodeObject(name, addresses, labels))
      const heartbeat = { every: times.heartbeat, beat: () => lifecycle.heard(name) }
      const node = await startNode({ ...options, name, kernel, heartbeat })
      nodes.set(name, node)
      crashed.delete(name)
    } catch (error) {
      if (before) table.put(before)
      else table.remove('Node', name)
      throw error
    }
  }

  return {
    async join(node) {
      const { name } = node
      if (nodes.has(name) || joining.has(name)) {
        throw new ClusterError('CLUSTER_EXISTS', `there is a node ${name} already; choose another name`)
      }
      joining.add(name)
      try {
        await start(node)
      } finally {
        joining.delete(name)
      }
    },
    drain(name) {
      cordon(name, true)
      for (const pod of podsOn(table, name)) if (!isDnsPod(pod)) deletePod(table, pod, clock.now())
    },
    uncordon: (name) => cordon(name, false),
    async remove(name) {
      const node = crashed.has(name) ? undefined : get(name)
      nodes.delete(name)
      forget(name)
      const errors: unknown[] = []
      await node?.kubelet.stop().catch((error: unknown) => errors.push(error))
      for (const { metadata } of podsOn(table, name)) table.remove('Pod', metadata.name, metadata.namespace)
      await node?.agent.stop().catch((error: unknown) => errors.push(error))
      if (errors.length > 0) throw new AggregateError(errors, `node ${name} did not leave wholly`)
    },
    async crash(name) {
      const node = get(name)
      nodes.delete(name)
      crashed.add(name)
      node.kubelet.crash()
      await node.agent
        .stop()
        .catch((error: unknown) =>
          log.warn('a controller of a crashed node did not stop', { node: name, error }),
        )
    },
    get,
    find: (name) => nodes.get(name),
    names: () => [...nodes.keys()],
    lost: () =>
      [...crashed].flatMap((node) =>
        podsOn(table, node).map(
          ({ metadata }) => `pod ${metadata.namespace}/${metadata.name}: its node ${node} has crashed`,
        ),
      ),
    async close() {
      lifecycle[Symbol.dispose]()
      const open = [...nodes.values()]
      nodes.clear()
      const ended = await Promise.allSettled(open.map(({ kubelet }) => kubelet.stop()))
      const stopped = await Promise.allSettled(open.map(({ agent }) => agent.stop()))
      const errors = [...ended, ...stopped].flatMap((outcome) =>
        outcome.status === 'rejected' ? [outcome.reason] : [],
      )
      if (errors.length > 0) throw new AggregateError(errors, 'the cluster did not close wholly')
    },
  }
}

function nodeObject(name: string, addresses: readonly Ip[], labels: Readonly<Record<string, string>>): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { 'kubernetes.io/hostname': name, ...labels },
      annotations: {},
      ownerReferences: [],
    },
    spec: { podCIDRs: [], unschedulable: false, taints: [] },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })), conditions: [] },
  }
}
