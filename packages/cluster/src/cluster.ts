import type { Log, NetworkList, PluginFactory } from '@podfabric/cni'
import type { ClusterZone } from '@podfabric/dns'
import type { Clock } from '@podfabric/kernel'
import type { Kind, KubeObject } from '@podfabric/kube'
import { type Prefix, prefix } from '@podfabric/netaddr'
import type { Store } from '@podfabric/store'
import { answeringWorkload } from './answering-workload.ts'
import { type Applied, apply } from './apply.ts'
import { dnsImage, dnsService, dnsWorkload, nameserversFor, zoneOf } from './cluster-dns.ts'
import { ClusterError } from './cluster-error.ts'
import type { ClusterNode } from './cluster-node.ts'
import { clusterNodes, type JoiningNode } from './cluster-nodes.ts'
import { controlPlane } from './control-plane.ts'
import { defaultNodeTimes, type NodeTimes } from './node-lifecycle.ts'
import { type DeleteOptions, deleteObject, systemNamespaces } from './object-deletion.ts'
import { type ObjectTable, objectTable } from './object-table.ts'
import { restarted, scaled } from './rollout.ts'
import { type RunningPod, runningPod } from './running-pod.ts'
import { type SettledOptions, settled } from './settled.ts'

export interface ClusterOptions {
  readonly clock: Clock
  /** A number from 0 (included) to 1 (excluded). */
  readonly random: () => number
  readonly log: Log
  /** Shared by all nodes. */
  readonly store: Store
  /** The plugins that there are, by their types. */
  readonly plugins: Readonly<Record<string, PluginFactory>>
  /** The pod network. */
  readonly network: NetworkList
  /** Default `cluster.local`. */
  readonly zone?: string
  /** Seconds that a DNS answer may be kept. Default 5. */
  readonly ttl?: number
  /** One range of each family that services have addresses of. Default 10.96.0.0/12. */
  readonly serviceRanges?: readonly Prefix[]
  readonly nodeTimes?: Partial<NodeTimes>
}

/** An object by its kind and name; the namespace is `default` unless it is named. */
export interface ObjectName<K extends Kind = Kind> {
  readonly kind: K
  readonly name: string
  readonly namespace?: string
}

/** The small Kubernetes that drives it all. */
export interface Cluster {
  readonly objects: ObjectTable
  /** What the DNS servers answer from. */
  readonly zone: ClusterZone
  readonly network: NetworkList
  /**
   * A node joins: its network is put in order, then it takes pods. A crashed one may join again under its name. Rejects, and
   * leaves the cluster as it was, when the network cannot be put in order there. CLUSTER_EXISTS.
   */
  addNode(node: JoiningNode): Promise<void>
  /** Takes no new pods from now on, and gives up those it has, each with its grace period. CLUSTER_NOT_FOUND. */
  drainNode(name: string): void
  /** Takes pods again. CLUSTER_NOT_FOUND. */
  uncordonNode(name: string): void
  /** Leaves, or is given up after a crash: its pods are ended at once, its controllers stopped. CLUSTER_NOT_FOUND. */
  removeNode(name: string): Promise<void>
  /**
   * The node falls silent, as by a power failure: its programs end and nothing is cleaned up. Whoever owns its kernel cuts its
   * cables first. The cluster notices later, by itself. CLUSTER_NOT_FOUND.
   */
  crashNode(name: string): Promise<void>
  /** The parts of a node. CLUSTER_NOT_FOUND. */
  node(name: string): ClusterNode
  /** Those that have joined and neither left nor crashed. */
  nodes(): readonly string[]
  /** See `apply`: all or nothing. CLUSTER_INVALID. */
  apply(objects: readonly KubeObject[]): readonly Applied[]
  /** As `kubectl delete`. CLUSTER_NOT_FOUND; CLUSTER_INVALID for nodes and the cluster's own namespaces. */
  delete(name: ObjectName, options?: DeleteOptions): void
  /** CLUSTER_NOT_FOUND; CLUSTER_INVALID for a count below 0. */
  scale(name: ObjectName<'Deployment' | 'ReplicaSet' | 'StatefulSet'>, replicas: number): void
  /** Replaces all pods of a workload by new ones, as its strategy says. CLUSTER_NOT_FOUND. */
  restart(name: ObjectName<'Deployment' | 'StatefulSet'>): void
  /** A pod with a network. CLUSTER_NOT_FOUND where there is no such pod, CLUSTER_INVALID while it has none. */
  pod(name: string, namespace?: string): RunningPod
  /** See `settled`. Pods of a crashed node that nobody has noticed yet count as not settled. */
  settled(options?: SettledOptions): Promise<void>
  /** Ends everything: pods, controllers, DNS. Ends all, then throws what failed. */
  close(): Promise<void>
}

export function cluster(options: ClusterOptions): Cluster {
  const { clock, random, log, network, zone: zoneName = 'cluster.local', ttl = 5 } = options
  const { serviceRanges = [prefix('10.96.0.0/12')] } = options
  const table = objectTable({ now: () => clock.now(), log })
  const zone = zoneOf(table, { zone: zoneName, ttl })
  const loop = controlPlane({ table, clock, random, log, serviceRanges })
  const dns = dnsWorkload(zone)
  const nodes = clusterNodes({
    ...options,
    table,
    times: { ...defaultNodeTimes, ...options.nodeTimes },
    workloadFor: (image) => (image === dnsImage ? dns : answeringWorkload),
  })
  for (const name of systemNamespaces) table.put(namespaceObject(name))
  table.put(dnsService)

  function objectNamed<K extends Kind>({ kind, name, namespace = 'default' }: ObjectName<K>) {
    const inside = kind === 'Node' || kind === 'Namespace' ? undefined : namespace
    const found = table.get(kind, name, inside)
    if (found) return found
    const where = inside === undefined ? '' : ` in namespace ${inside}`
    throw new ClusterError('CLUSTER_NOT_FOUND', `there is no ${kind} ${name}${where}`)
  }

  return {
    objects: table,
    zone,
    network,
    addNode: nodes.join,
    drainNode: nodes.drain,
    uncordonNode: nodes.uncordon,
    removeNode: nodes.remove,
    crashNode: nodes.crash,
    node: nodes.get,
    nodes: nodes.names,
    apply: (objects) => apply(table, objects, { serviceRanges }),
    delete: (name, deleteOptions) => deleteObject(table, objectNamed(name), clock.now(), deleteOptions),
    scale(name, replicas) {
      if (!Number.isInteger(replicas) || replicas < 0) {
        throw new ClusterError('CLUSTER_INVALID', `${replicas} replicas: expected a whole number from 0 up`)
      }
      table.put(scaled(objectNamed(name), replicas))
    },
    restart(name) {
      table.put(restarted(objectNamed(name), clock.now()))
    },
    pod(name, namespace = 'default') {
      const pod = objectNamed({ kind: 'Pod', name, namespace })
      const node = pod.spec.nodeName
      const sandbox = node === undefined ? undefined : nodes.find(node)?.kubelet.sandbox(pod)
      if (node !== undefined && sandbox) {
        const nameservers = () => nameserversFor(node, table)
        return runningPod({ pod, node, sandbox, clock, random, zone: zoneName, nameservers })
      }
      const why = pod.status?.message ?? pod.status?.phase ?? 'it is not placed yet'
      throw new ClusterError('CLUSTER_INVALID', `pod ${namespace}/${name} has no network: ${why}`)
    },
    settled: ({ also = () => [], ...rest } = {}) =>
      settled(table, loop, clock, { ...rest, also: () => [...nodes.lost(), ...also()] }),
    async close() {
      loop[Symbol.dispose]()
      await nodes.close()
    },
  }
}

function namespaceObject(name: string): KubeObject {
  const metadata = { name, labels: {}, annotations: {}, ownerReferences: [] }
  return { apiVersion: 'v1', kind: 'Namespace', metadata }
}
