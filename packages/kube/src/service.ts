import type { Ip } from '@podfabric/netaddr'
import type { Labels, NamespacedMeta } from './object-meta.ts'
import type { Protocol } from './pod.ts'
import type { PortReference } from './probe.ts'

export type IpFamily = 'IPv4' | 'IPv6'

export interface ServicePort {
  /** Needed when a service has several ports; only a named port has an SRV record. */
  readonly name?: string
  readonly protocol: Protocol
  readonly port: number
  /** The same as `port` when the manifest names none. */
  readonly targetPort: PortReference
  readonly nodePort?: number
  readonly appProtocol?: string
}

export interface ServiceSpec {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
  /** Absent when the service's EndpointSlices are written by somebody else. */
  readonly selector?: Labels
  /** `None` for a headless service; absent until an address is given; otherwise the first of `clusterIPs`. */
  readonly clusterIP?: Ip | 'None'
  /** One address per family; empty for a headless service. */
  readonly clusterIPs: readonly Ip[]
  /** Empty: as the cluster has it. */
  readonly ipFamilies: readonly IpFamily[]
  readonly ipFamilyPolicy: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack'
  readonly ports: readonly ServicePort[]
  /** A domain name, without the final dot; present exactly when the type is `ExternalName`. */
  readonly externalName?: string
  readonly publishNotReadyAddresses: boolean
  readonly sessionAffinity: 'None' | 'ClientIP'
  readonly internalTrafficPolicy: 'Cluster' | 'Local'
}

export interface Service {
  readonly apiVersion: 'v1'
  readonly kind: 'Service'
  readonly metadata: NamespacedMeta
  readonly spec: ServiceSpec
}

/** Whether the service's name stands for its pods' own addresses rather than for an address of its own. */
export function isHeadless(service: Service): boolean {
  return service.spec.type !== 'ExternalName' && service.spec.clusterIP === 'None'
}
