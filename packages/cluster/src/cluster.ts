import { type Log, type NetworkList, type PluginFactory, toCniError } from '@podfabric/cni'
import { type ClusterZone, podResolvConf, type Resolver, resolver } from '@podfabric/dns'
import type { Clock, Kernel, Namespace } from '@podfabric/kernel'
import {
  type Deployment,
  isReady,
  type Kind,
  type KubeObject,
  type Node,
  type Pod,
  type ReplicaSet,
  type StatefulSet,
} from '@podfabric/kube'
import { type Ip, type Prefix, prefix } from '@podfabric/netaddr'
import type { Store } from '@podfabric/store'
import { answeringWorkload } from './answering-workload.ts'
import { type Applied, apply } from './apply.ts'
import { dnsImage, dnsLabels, dnsNamespace, dnsPod, dnsWorkload, zoneOf } from './cluster-dns.ts'
import { ClusterError } from './cluster-error.ts'
import { type ClusterNode, startNode } from './cluster-node.ts'
import { controlPlane } from './control-plane.ts'
import { deleteObject } from './garbage-collector.ts'
import { defaultNodeTimes, type NodeTimes, nodeLifecycle, podsOn } from './node-lifecycle.ts'
import { type ObjectTable, objectTable } from './object-table.ts'
import { deletePod } from './pod-deletion.ts'
import type { Sandbox } from './sandbox.ts'
import { type SettledOptions, settled } from './settled.ts'

export interface ClusterOptions {
  readonly clock: Clock
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

export interface JoiningNode {
  readonly name: string
  readonly kernel: Kernel
  /** The node's own addresses, for people to see; the network finds its own. */
  readonly addresses: readonly Ip[]
  readonly labels?: Readonly<Record<string, string>>
}

/** An object by its kind and name; the namespace is `default` unless it is named. */
export interface ObjectName<K extends Kind = Kind> {
  readonly kind: K
  readonly name: string
  readonly namespace?: string
}

/** A pod that runs, seen from the inside. */
export interface RunningPod {
  readonly pod: Pod
  readonly node: string
  readonly sandbox: Sandbox
  /** The sandbox's namespace; belongs to the pod, do not dispose it. */
  readonly namespace: Namespace
  /** A resolver with the pod's resolv.conf, asking from inside the pod. With a cache, answers are kept for as long as they say. */
  resolver(options?: { readonly cache?: boolean }): Resolver
}

/** The small Kubernetes that drives it all. */
export interface Cluster {
  readonly objects: ObjectTable
  /** What the DNS servers answer from. */
  readonly zone: ClusterZone
  readonly network: NetworkList
  /**
   * A node joins: its network is put in order, then it takes pods. Rejects, and leaves the cluster as it was, when the network
   * cannot be put in order there. CLUSTER_EXISTS.
   */
  addNode(node: JoiningNode): Promise<void>
  /** Takes no new pods from now on, and gives up those it has, each with its grace period. CLUSTER_NOT_FOUND. */
  drainNode(name: string): void
  /** Takes pods again. CLUSTER_NOT_FOUND. */
  uncordonNode(name: string): void
  /** Leaves: its pods are ended at once, its controllers stopped. CLUSTER_NOT_FOUND. */
  removeNode(name: string): Promise<void>
  /** The node falls silent, as by a power failure. The cluster notices later, by itself. CLUSTER_NOT_FOUND. */
  crashNode(name: string): Promise<void>
  /** The parts of a node. CLUSTER_NOT_FOUND. */
  node(name: string): ClusterNode
  nodes(): readonly string[]
  /** See `apply`: all or nothing. */
  apply(objects: readonly KubeObject[]): readonly Applied[]
  /** CLUSTER_NOT_FOUND. */
  delete(name: ObjectName): void
  /** CLUSTER_NOT_FOUND; CLUSTER_INVALID for a count below 0. */
  scale(name: ObjectName<'Deployment' | 'ReplicaSet' | 'StatefulSet'>, replicas: number): void
  /** Replaces all pods of a workload by new ones, as its strategy says. CLUSTER_NOT_FOUND. */
  restart(name: ObjectName<'Deployment' | 'StatefulSet'>): void
  /** A pod with a network. CLUSTER_NOT_FOUND where there is no such pod, CLUSTER_INVALID while it has none. */
  pod(name: string, namespace?: string): RunningPod
  /** See `settled`. */
  settled(options?: SettledOptions): Promise<void>
  /** Ends everything: pods, controllers, DNS. */
  close(): Promise<void>
}

export function cluster(options: ClusterOptions): Cluster {
  const { clock, random, log, store, plugins, network, zone: zoneName = 'cluster.local', ttl = 5 } = options
  const times = { ...defaultNodeTimes, ...options.nodeTimes }
  const table = objectTable({ now: () => clock.now() })
  const zone = zoneOf(table, { zone: zoneName, ttl })
  const loop = controlPlane({
    table,
    clock,
    random,
    log,
    serviceRanges: options.serviceRanges ?? [prefix('10.96.0.0/12')],
  })
  const lifecycle = nodeLifecycle(table, clock, times)
  const nodes = new Map<string, ClusterNode>()
  for (const name of ['default', dnsNamespace]) table.put(namespaceObject(name))
  table.put(dnsService)

  const dns = dnsWorkload(zone)
  const workloadFor = (image: string | undefined) => (image === dnsImage ? dns : answeringWorkload)

  function nodeNamed(name: string): ClusterNode {
    const found = nodes.get(name)
    if (found) return found
    const known = [...nodes.keys()].join(', ') || 'none'
    throw new ClusterError('CLUSTER_NOT_FOUND', `there is no node ${name}; there are ${known}`)
  }

  function objectNamed<K extends Kind>({ kind, name, namespace = 'default' }: ObjectName<K>) {
    const inside = kind === 'Node' || kind === 'Namespace' ? undefined : namespace
    const found = table.get(kind, name, inside)
    if (found) return found
    const where = inside === undefined ? '' : ` in namespace ${inside}`
    throw new ClusterError('CLUSTER_NOT_FOUND', `there is no ${kind} ${name}${where}`)
  }

  function changeNode(name: string, unschedulable: boolean) {
    nodeNamed(name)
    const object = objectNamed({ kind: 'Node', name })
    table.put({ ...object, spec: { ...object.spec, unschedulable } })
  }

  async function leave(name: string, end: (node: ClusterNode) => Promise<void>) {
    const node = nodeNamed(name)
    nodes.delete(name)
    await end(node)
    await node.agent.stop()
  }

  function nameservers(node: string): readonly Ip[] {
    const server = table.get('Pod', `dns-${node}`, dnsNamespace)
    return server && isReady(server) ? (server.status?.podIPs.map(({ ip }) => ip) ?? []) : []
  }

  return {
    objects: table,
    zone,
    network,
    async addNode({ name, kernel, addresses, labels = {} }) {
      if (nodes.has(name) || table.get('Node', name)) {
        throw new ClusterError('CLUSTER_EXISTS', `there is a node ${name} already; choose another name`)
      }
      const heartbeat = { every: times.heartbeat, beat: () => lifecycle.heard(name) }
      table.put(nodeObject(name, addresses, labels))
      try {
        nodes.set(
          name,
          await startNode({
            name,
            kernel,
            store,
            table,
            plugins,
            network,
            clock,
            random,
            log,
            workloadFor,
            heartbeat,
          }),
        )
      } catch (error) {
        table.remove('Node', name)
        throw toCniError(error, `node ${name} cannot join network ${network.name}`)
      }
      table.put(dnsPod(name))
    },
    drainNode(name) {
      changeNode(name, true)
      for (const pod of podsOn(table, name))
        if (pod.metadata.namespace !== dnsNamespace) deletePod(table, pod, clock.now())
    },
    uncordonNode: (name) => changeNode(name, false),
    async removeNode(name) {
      await leave(name, async ({ kubelet }) => {
        lifecycle.forget(name)
        table.remove('Node', name)
        for (const pod of podsOn(table, name)) deletePod(table, pod, clock.now())
        await kubelet.stop()
        for (const { metadata } of podsOn(table, name)) table.remove('Pod', metadata.name, metadata.namespace)
      })
    },
    crashNode: (name) => leave(name, async ({ kubelet }) => kubelet.crash()),
    node: nodeNamed,
    nodes: () => [...nodes.keys()],
    apply: (objects) => apply(table, objects),
    delete: (name) => deleteObject(table, objectNamed(name), clock.now()),
    scale(name, replicas) {
      if (!Number.isInteger(replicas) || replicas < 0) {
        throw new ClusterError('CLUSTER_INVALID', `${replicas} replicas: expected a whole number from 0 up`)
      }
      table.put(scaled(objectNamed(name), replicas))
    },
    restart(name) {
      table.put(restarted(objectNamed(name), new Date(clock.now()).toISOString()))
    },
    pod(name, namespace = 'default') {
      const pod = objectNamed({ kind: 'Pod', name, namespace })
      const node = pod.spec.nodeName
      const sandbox = node === undefined ? undefined : nodes.get(node)?.kubelet.sandbox(pod)
      if (node === undefined || !sandbox) {
        throw new ClusterError(
          'CLUSTER_INVALID',
          `pod ${namespace}/${name} has no network: ${pod.status?.message ?? pod.status?.phase ?? 'it is not placed yet'}`,
        )
      }
      return {
        pod,
        node,
        sandbox,
        namespace: sandbox.namespace,
        resolver({ cache = false } = {}) {
          const conf = podResolvConf(pod, {
            nameservers: nameservers(node),
            zone: zoneName,
            node: noResolvConf,
          })
          return resolver({ conf, sockets: sandbox.namespace.sockets, clock, random, cache })
        },
      }
    },
    settled: (settledOptions) => settled(table, loop, clock, settledOptions),
    async close() {
      loop[Symbol.dispose]()
      lifecycle[Symbol.dispose]()
      const outcomes = await Promise.allSettled(
        [...nodes.values()].map(async ({ kubelet, agent }) => {
          await kubelet.stop()
          await agent.stop()
        }),
      )
      nodes.clear()
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      if (errors.length > 0) throw new AggregateError(errors, 'the cluster did not close wholly')
    },
  }
}

/** Nodes of a simulation have no resolv.conf of their own. */
const noResolvConf = { nameservers: [], search: [], ndots: 1, timeout: 5000, attempts: 2 }

const bare = { labels: {}, annotations: {}, ownerReferences: [] }

function namespaceObject(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { ...bare, name } }
}

function nodeObject(name: string, addresses: readonly Ip[], labels: Readonly<Record<string, string>>): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { ...bare, name, labels: { 'kubernetes.io/hostname': name, ...labels } },
    spec: { podCIDRs: [], unschedulable: false, taints: [] },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })), conditions: [] },
  }
}

const dnsService: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { ...bare, name: 'kube-dns', namespace: dnsNamespace, labels: dnsLabels },
  spec: {
    type: 'ClusterIP',
    selector: dnsLabels,
    clusterIPs: [],
    ipFamilies: [],
    ipFamilyPolicy: 'SingleStack',
    ports: [
      { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 },
      { name: 'dns-tcp', protocol: 'TCP', port: 53, targetPort: 53 },
    ],
    publishNotReadyAddresses: false,
    sessionAffinity: 'None',
    internalTrafficPolicy: 'Cluster',
  },
}

function scaled(object: Deployment | ReplicaSet | StatefulSet, replicas: number): KubeObject {
  switch (object.kind) {
    case 'Deployment':
      return { ...object, spec: { ...object.spec, replicas } }
    case 'ReplicaSet':
      return { ...object, spec: { ...object.spec, replicas } }
    case 'StatefulSet':
      return { ...object, spec: { ...object.spec, replicas } }
  }
}

/** As `kubectl rollout restart`: an annotation of the template makes it another one. */
function restarted(object: Deployment | StatefulSet, at: string): KubeObject {
  const { template } = object.spec
  const annotations = { ...template.metadata.annotations, 'kubectl.kubernetes.io/restartedAt': at }
  const next = { ...template, metadata: { ...template.metadata, annotations } }
  return object.kind === 'Deployment'
    ? { ...object, spec: { ...object.spec, template: next } }
    : { ...object, spec: { ...object.spec, template: next } }
}
