import {
  type Endpoint,
  type EndpointPort,
  type EndpointSlice,
  isReady,
  matchesLabels,
  type Pod,
  type Service,
  type ServicePort,
  serviceNameLabel,
} from '@podfabric/kube'
import { type Family, familyOf, type Ip } from '@podfabric/netaddr'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isOwnedBy, isTerminating, ownedBy } from './owned.ts'

/**
 * Writes each service's EndpointSlices from the pods that its selector matches: one for each address family, and where a named
 * port has not the same number on all pods, one for each set of numbers. A pod is in it as soon as it has an address; it is
 * ready when its Ready condition says so and it is not ending. Slices of a service without a selector are somebody else's.
 */
export function endpointController(table: ObjectTable): ControlLoopPart {
  return {
    name: 'endpoints',
    sync() {
      for (const service of table.list('Service'))
        if (service.spec.selector !== undefined) sync(service, table)
    },
  }
}

function sync(service: Service, table: ObjectTable): void {
  const slices = service.spec.type === 'ExternalName' ? [] : slicesOf(service, table)
  for (const slice of slices) table.put(slice)
  const wanted = new Set(slices.map(({ metadata }) => metadata.name))
  for (const slice of table.list('EndpointSlice', service.metadata.namespace)) {
    const { name, namespace } = slice.metadata
    if (isOwnedBy(slice, service) && !wanted.has(name)) table.remove('EndpointSlice', name, namespace)
  }
}

function slicesOf(service: Service, table: ObjectTable): readonly EndpointSlice[] {
  const { selector = {} } = service.spec
  const pods = table
    .list('Pod', service.metadata.namespace)
    .filter((pod) => matchesLabels(selector, pod.metadata.labels) && !isFinished(pod))
  return ([4, 6] as const).flatMap((family) => {
    const groups = new Map<string, { ports: readonly EndpointPort[]; endpoints: Endpoint[] }>()
    for (const pod of pods) {
      const endpoint = endpointOf(pod, service, family)
      if (!endpoint) continue
      const ports = service.spec.ports.flatMap((port) => endpointPort(port, pod) ?? [])
      const key = JSON.stringify(ports)
      const group = groups.get(key) ?? { ports, endpoints: [] }
      groups.set(key, group)
      group.endpoints.push(endpoint)
    }
    const inOrder = [...groups].sort(([a], [b]) => (a < b ? -1 : 1))
    return inOrder.map(([, group], index) => sliceOf(service, family, index, group))
  })
}

function sliceOf(
  service: Service,
  family: Family,
  index: number,
  { ports, endpoints }: Pick<EndpointSlice, 'ports' | 'endpoints'>,
): EndpointSlice {
  const { name, namespace, labels } = service.metadata
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${name}-ipv${family}${index === 0 ? '' : `-${index + 1}`}`,
      namespace,
      labels: { ...labels, [serviceNameLabel]: name },
      annotations: {},
      ownerReferences: [ownedBy(service)],
    },
    addressType: family === 4 ? 'IPv4' : 'IPv6',
    endpoints,
    ports,
  }
}

function endpointOf(pod: Pod, service: Service, family: Family): Endpoint | undefined {
  const addresses = addressesOf(pod).filter((address) => familyOf(address) === family)
  if (addresses.length === 0) return undefined
  const { hostname, subdomain, nodeName } = pod.spec
  const { name, namespace, uid } = pod.metadata
  const named = hostname !== undefined && subdomain === service.metadata.name
  return {
    addresses,
    conditions: conditionsOf(pod, service),
    ...(named && { hostname }),
    ...(nodeName !== undefined && { nodeName }),
    targetRef: { kind: 'Pod', name, namespace, ...(uid !== undefined && { uid }) },
  }
}

function conditionsOf(pod: Pod, service: Service): Endpoint['conditions'] {
  const serving = isReady(pod)
  const terminating = isTerminating(pod)
  return { serving, terminating, ready: service.spec.publishNotReadyAddresses || (serving && !terminating) }
}

function addressesOf({ status }: Pod): readonly Ip[] {
  return status?.podIPs.map(({ ip }) => ip) ?? []
}

/** The port with its number on the pod; undefined where the pod has no port of the name that the service gives. */
function endpointPort(port: ServicePort, pod: Pod): EndpointPort | undefined {
  const { targetPort, name = '', protocol, appProtocol } = port
  const number = typeof targetPort === 'number' ? targetPort : namedPort(targetPort, protocol, pod)
  if (number === undefined) return undefined
  return { name, protocol, port: number, ...(appProtocol !== undefined && { appProtocol }) }
}

function namedPort(name: string, protocol: string, { spec }: Pod): number | undefined {
  const ports = [...spec.containers, ...spec.initContainers].flatMap((container) => container.ports)
  return ports.find((port) => port.name === name && port.protocol === protocol)?.containerPort
}
