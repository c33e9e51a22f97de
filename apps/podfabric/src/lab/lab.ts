import type { Cluster, RunningPod } from '@podfabric/cluster'
import type { Clock } from '@podfabric/kernel'
import type { Hop } from '@podfabric/trace'

/** A cluster and the wires under it: simulated (`createLab`), or namespaces of this machine (`linuxLab`). */
export interface Lab {
  readonly cluster: Cluster
  readonly clock: Clock
  /** Plugs in a node and lets it join. Without a name: the next `node-N`. Returns its name. */
  addNode(name?: string): Promise<string>
  /** Cuts the node's power and its cable. */
  failNode(name: string): Promise<void>
  /** Takes a node, or what is left of one that failed, out of the cluster and off the wire. */
  removeNode(name: string): Promise<void>
  /**
   * Hops from the moment it resolves until the watch is disposed; then the listener has had all that was under way. Without an
   * observer nothing is recorded, and nothing costs.
   */
  watchHops(listener: (hop: Hop) => void): Promise<AsyncDisposable>
  /** Ends pods, controllers and nodes. */
  close(): Promise<void>
}

/** Every pod that has a network, in byte order of namespace and name; the cluster's own DNS pods only when asked for. */
export function runningPods(
  { cluster }: Lab,
  options: { readonly system?: boolean } = {},
): readonly RunningPod[] {
  return cluster.objects.list('Pod').flatMap(({ metadata, status }) => {
    if ((status?.podIPs.length ?? 0) === 0) return []
    if (metadata.namespace === 'kube-system' && !options.system) return []
    return [cluster.pod(metadata.name, metadata.namespace)]
  })
}

/** Does something and keeps the hops of it. */
export async function recording<T>(
  lab: Lab,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly hops: readonly Hop[] }> {
  const hops: Hop[] = []
  const watch = await lab.watchHops((hop) => hops.push(hop))
  let result: T
  try {
    result = await work()
  } finally {
    await watch[Symbol.asyncDispose]()
  }
  return { result, hops }
}
