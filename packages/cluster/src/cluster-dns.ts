import { type ClusterZone, clusterZone, dnsServer, type ZoneObject } from '@podfabric/dns'
import type { KubeObject, Pod } from '@podfabric/kube'
import type { ObjectTable } from './object-table.ts'
import type { WorkloadFactory } from './workload.ts'

/** The image by which a container is the cluster's DNS server. */
export const dnsImage = 'podfabric/dns'

export const dnsNamespace = 'kube-system'

/** The label of the DNS pods, as Kubernetes' own have it. */
export const dnsLabels = { 'k8s-app': 'kube-dns' }

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

/** Serves a zone at port 53 of the pod it runs in, over UDP and TCP. */
export function dnsWorkload(zone: ClusterZone): WorkloadFactory {
  return async ({ sockets, clock, random, log }) => {
    const server = await dnsServer({ zones: [zone], sockets, clock, random, log })
    return { stop: () => server.close() }
  }
}

/**
 * The DNS pod of one node: pods ask the server on their own node, at its pod address, for service addresses are not served
 * yet.
 */
export function dnsPod(node: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `dns-${node}`,
      namespace: dnsNamespace,
      labels: dnsLabels,
      annotations: {},
      ownerReferences: [],
    },
    spec: {
      nodeName: node,
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
