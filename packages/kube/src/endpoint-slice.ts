import type { Ip } from '@podfabric/netaddr'
import type { NamespacedMeta } from './object-meta.ts'
import type { Protocol } from './pod.ts'
import type { IpFamily } from './service.ts'

/** The label by which a slice names its service. */
export const serviceNameLabel = 'kubernetes.io/service-name'

/**
 * How an endpoint stands. `ready`: it may get new connections. `serving`: it answers, even while it ends.
 * `terminating`: its pod is being deleted. A terminating endpoint is never ready, except where the service publishes
 * addresses that are not ready.
 */
export interface EndpointConditions {
  readonly ready: boolean
  readonly serving: boolean
  readonly terminating: boolean
}

export interface ObjectReference {
  readonly kind: string
  readonly name: string
  readonly namespace: string
  readonly uid?: string
}

export interface Endpoint {
  /** At least one address of the slice's family; all of them reach the same pod. */
  readonly addresses: readonly Ip[]
  readonly conditions: EndpointConditions
  /** The label under the service's name, when the pod has one. */
  readonly hostname?: string
  readonly nodeName?: string
  readonly zone?: string
  readonly targetRef?: ObjectReference
}

export interface EndpointPort {
  /** The service port's name; empty for the one unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  /** The number on the pod, already looked up where the service named it. */
  readonly port: number
  readonly appProtocol?: string
}

/** Some of a service's endpoints, of one address family: a service has one slice or many. */
export interface EndpointSlice {
  readonly apiVersion: 'discovery.k8s.io/v1'
  readonly kind: 'EndpointSlice'
  readonly metadata: NamespacedMeta
  readonly addressType: IpFamily
  readonly endpoints: readonly Endpoint[]
  readonly ports: readonly EndpointPort[]
}

/** The name of the service a slice belongs to (in the slice's own namespace), or undefined for a slice of none. */
export function serviceNameOf(slice: EndpointSlice): string | undefined {
  return slice.metadata.labels[serviceNameLabel]
}
