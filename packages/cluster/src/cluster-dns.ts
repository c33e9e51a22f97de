import { type ClusterZone, clusterZone, dnsServer, type ZoneObject } from '@podfabric/dns'
import { isReady, type KubeObject, type Node, type Pod, type Service } from '@podfabric/kube'
import { familyOf, type Ip, UNSPECIFIED_IPV4, UNSPECIFIED_IPV6 } from '@podfabric/netaddr'
import { hasCondition } from './conditions.ts'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isTerminating, ownedBy } from './owned.ts'
import type { WorkloadFactory } from './workload.ts'

/** The image by which a container is the cluster's DNS server. */
export const dnsImage = 'podfabric/dns'

const dnsNamespace = 'kube-system'

/** The label of the DNS pods, as Kubernetes' own have it. */
const dnsLabels = { 'k8s-app': 'kube-dns' }

/** A zone that follows the objects of a table: what it answers is what there is now. */
export function zoneOf(
  table: ObjectTable,
  options: { readonly zone: string; readonly ttl: number },
): ClusterZone {
  const zone = clusterZone({ ...options, pods: 'verified' })
  for (const kind of ['Namespace', 'Service', 'EndpointSlice', 'Pod'] as const) {
    for (const object of table.list(kind)) zone.update({ type: 'put', object })
  }
  table.watch((change) => {
    if (change.type === 'put') {
      if (hasRecords(change.object)) zone.update({ type: 'put', object: change.object })
    } else if (hasRecords(change.previous)) {
      const { kind, metadata } = change.previous
      const namespace = 'namespace' in metadata ? { namespace: metadata.namespace } : {}
      zone.update({ type: 'delete', kind, name: metadata.name, ...namespace })
    }
  })
  zone.markSynced()
  return zone
}

function hasRecords(object: KubeObject): object is ZoneObject {
  return ['Namespace', 'Service', 'EndpointSlice', 'Pod'].includes(object.kind)
}

/** Serves a zone at port 53 of the pod it runs in, over UDP and TCP, in each family that the pod has. */
export function dnsWorkload(zone: ClusterZone): WorkloadFactory {
  return async ({ addresses, sockets, clock, random, log }) => {
    const servers: { close(): Promise<void> }[] = []
    const stop = async () => {
      await Promise.all(servers.map((server) => server.close()))
    }
    try {
      for (const family of new Set(addresses.map(familyOf))) {
        const address = family === 4 ? UNSPECIFIED_IPV4 : UNSPECIFIED_IPV6
        servers.push(await dnsServer({ zones: [zone], address, sockets, clock, random, log }))
      }
    } catch (error) {
      await stop()
      throw error
    }
    return { stop }
  }
}

/**
 * Keeps a DNS pod on each node that is ready: pods ask the server on their own node first, at its pod address, for service
 * addresses are not served yet.
 */
export function dnsPods(table: ObjectTable): ControlLoopPart {
  return {
    name: 'dns pods',
    sync() {
      for (const node of table.list('Node')) {
        if (!hasCondition(node.status?.conditions, 'Ready')) continue
        if (!table.get('Pod', dnsPodName(node.metadata.name), dnsNamespace)) table.put(dnsPod(node))
      }
    },
  }
}

/** Addresses of DNS servers for the pods of a node: its own first, then those of other nodes; at most three. */
export function nameserversFor(node: string, table: ObjectTable): readonly Ip[] {
  const own = dnsPodName(node)
  const servers = table
    .list('Pod', dnsNamespace)
    .filter((pod) => isDnsPod(pod) && isReady(pod) && !isTerminating(pod))
    .toSorted((a, b) => Number(b.metadata.name === own) - Number(a.metadata.name === own))
  return servers.flatMap(({ status }) => status?.podIPs.map(({ ip }) => ip) ?? []).slice(0, 3)
}

/** Whether it is one of the cluster's own DNS pods. */
export function isDnsPod({ metadata, spec }: Pod): boolean {
  return metadata.namespace === dnsNamespace && metadata.name === dnsPodName(spec.nodeName ?? '')
}

const dnsPodName = (node: string) => `dns-${node}`

function dnsPod(node: Node): Pod {
  const { name } = node.metadata
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: dnsPodName(name),
      namespace: dnsNamespace,
      labels: dnsLabels,
      annotations: {},
      ownerReferences: [ownedBy(node)],
    },
    spec: {
      nodeName: name,
      containers: [
        {
          name: 'dns',
          image: dnsImage,
          ports: [
            { name: 'dns', containerPort: 53, protocol: 'UDP' },
            { name: 'dns-tcp', containerPort: 53, protocol: 'TCP' },
          ],
        },
      ],
      initContainers: [],
      nodeSelector: {},
      hostNetwork: false,
      hostAliases: [],
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 0,
      dnsPolicy: 'Default',
    },
  }
}

/** The service that DNS pods stand behind. */
export const dnsService: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'kube-dns',
    namespace: dnsNamespace,
    labels: dnsLabels,
    annotations: {},
    ownerReferences: [],
  },
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
