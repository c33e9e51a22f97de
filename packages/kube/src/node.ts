import type { Prefix } from '@podfabric/netaddr'
import type { Condition, ObjectMeta } from './object-meta.ts'

export interface Taint {
  readonly key: string
  readonly value: string
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
}

export interface NodeSpec {
  /** First of `podCIDRs`; absent until the cluster hands a prefix out. */
  readonly podCIDR?: Prefix
  readonly podCIDRs: readonly Prefix[]
  /** True while the node is cordoned or drained. */
  readonly unschedulable: boolean
  readonly taints: readonly Taint[]
}

export interface NodeAddress {
  /** An IP address in canonical form where the type says so, a name otherwise. */
  readonly type: 'InternalIP' | 'ExternalIP' | 'Hostname' | 'InternalDNS' | 'ExternalDNS'
  readonly address: string
}

export interface NodeStatus {
  readonly addresses: readonly NodeAddress[]
  readonly conditions: readonly Condition[]
}

export interface Node {
  readonly apiVersion: 'v1'
  readonly kind: 'Node'
  readonly metadata: ObjectMeta
  readonly spec: NodeSpec
  readonly status?: NodeStatus
}
