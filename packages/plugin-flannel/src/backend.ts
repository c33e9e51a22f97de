import type { Namespace } from '@podfabric/kernel'
import type { Ip, Prefix } from '@podfabric/netaddr'
import type { PeerData } from './peer-data.ts'
import type { OwnedRows, PeerTables } from './tables.ts'
import type { Underlay } from './underlay.ts'

/** A way for packets between nodes. */
export interface Backend {
  /** MTU of a pod's link on this node. */
  readonly podMtu: number
  /** What this node's lease says. */
  readonly peerData: PeerData
  readonly owned: OwnedRows
  readonly underlay: Underlay
  /** Makes and mends the node's own device for its subnet; what is right is not touched. */
  ensure(subnet: Prefix): Promise<void>
  /** The rows for some peers. Peers that this backend cannot reach are left out. */
  tables(peers: readonly Peer[]): Promise<PeerTables>
}

/** Another node of the network. */
export interface Peer {
  readonly publicIp: Ip
  readonly subnet: Prefix
  readonly data: PeerData
}

export interface BackendContext {
  /** The node's own namespace. */
  readonly namespace: Namespace
  readonly underlay: Underlay
  /** The whole pod network. */
  readonly network: Prefix
  /** From 0 (included) to 1 (excluded). */
  readonly random: () => number
  /** What the node's lease said before a restart. */
  readonly previous?: PeerData | undefined
}
