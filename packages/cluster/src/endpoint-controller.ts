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
import { isFinished, isTerminating, ownedBy } from './owned.ts'

/**
 * Writes each service's EndpointSlices, one for each address family, from the pods that its selector matches. A pod is in it
 * as soon as it has an address; it is ready when its Ready condition says so and it is not ending.
 */
export function endpointController(table: ObjectTable): ControlLoopPart {
  return {
    name: 'endpoints',
    sync() {
      for (const service of table.list('Service'))
        for (const family of [4, 6] as const) sync(service, family, table)
    },
  }
}

function sync(service: Service, family: Family, table: ObjectTable): void {
  const { name, namespace, labels } = service.metadata
  const { selector } = service.spec
  if (selector === undefined || service.spec.type === 'ExternalName') return
  const pods = table
    .list('Pod', namespace)
    .filter((pod) => matchesLabels(selector, pod.metadata.labels) && !isFinished(pod))
  const endpoints = pods.flatMap((pod) => endpointOf(pod, service, family) ?? [])
  const sliceName = `${name}-ipv${family}`
  if (endpoints.length === 0) {
    table.remove('EndpointSlice', sliceName, namespace)
    return
  }
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: sliceName,
      namespace,
      labels: { ...labels, [serviceNameLabel]: name },
      annotations: {},
      ownerReferences: [ownedBy(service)],
    },
    addressType: family === 4 ? 'IPv4' : 'IPv6',
    endpoints,
    ports: service.spec.ports.flatMap((port) => endpointPort(port, pods) ?? []),
  }
  table.put(slice)
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

/** The port's number on the pods; undefined while no pod has the name that the service gives. */
function endpointPort(port: ServicePort, pods: readonly Pod[]): EndpointPort | undefined {
  const { targetPort, name = '', protocol, appProtocol } = port
  const number = typeof targetPort === 'number' ? targetPort : namedPort(targetPort, protocol, pods)
  if (number === undefined) return undefined
  return { name, protocol, port: number, ...(appProtocol !== undefined && { appProtocol }) }
}

function namedPort(name: string, protocol: string, pods: readonly Pod[]): number | undefined {
  const ports = pods.flatMap(({ spec }) => spec.containers.flatMap((container) => container.ports))
  return ports.find((port) => port.name === name && port.protocol === protocol)?.containerPort
}
