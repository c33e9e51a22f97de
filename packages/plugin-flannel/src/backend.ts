import type { Namespace } from '@podfabric/kernel'
import type { Ip, Prefix } from '@podfabric/netaddr'
import type { PeerData } from './peer-data.ts'
import type { OwnedLinks, PeerTables } from './tables.ts'
import type { Underlay } from './underlay.ts'

/** A way for packets between nodes. */
export interface Backend {
  /** MTU of a pod's link on this node. */
  readonly podMtu: number
  /** What this node's lease says. */
  readonly peerData: PeerData
  readonly links: OwnedLinks
  /** Makes and mends the node's own device for its subnet. */
  ensure(subnet: Prefix): Promise<void>
  /** The rows for some peers. Peers that this backend cannot reach are left out. */
  tables(peers: readonly Peer[]): Promise<PeerTables>
}

/** Another node of the network. */
export interface Peer extends PeerData {
  readonly publicIp: Ip
  readonly subnet: Prefix
}

export interface BackendContext {
  /** The node's own namespace. */
  readonly namespace: Namespace
  readonly underlay: Underlay
  /** From 0 (included) to 1 (excluded). */
  readonly random: () => number
  /** What the node's lease said before a restart. */
  readonly previous?: PeerData | undefined
}
