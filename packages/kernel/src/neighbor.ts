import type { Ip, Mac } from '@podfabric/netaddr'

/** `ip neighbor`: who has an address on a link (ARP, RFC 826; neighbor discovery, RFC 4861). */
export interface Neighbor {
  readonly link: string
  readonly address: Ip
  /** Missing while it is asked for, and for proxy entries. */
  readonly mac?: Mac
  /** `permanent` never ages and is never asked for. Default `permanent`. */
  readonly state?: NeighborState
  /** Answers for the address on this link, although nobody here has it. Default false. */
  readonly proxy?: boolean
  /** Who made it, as for routes. */
  readonly protocol?: number
}

export type NeighborState =
  | 'permanent'
  | 'noarp'
  | 'reachable'
  | 'stale'
  | 'delay'
  | 'probe'
  | 'incomplete'
  | 'failed'

export type NeighborKey = Pick<Neighbor, 'link' | 'address' | 'proxy'>

/** `bridge fdb`: which port, or which remote endpoint of a vxlan link, a MAC address is behind. */
export interface FdbEntry {
  /** A bridge's port, or a vxlan link. */
  readonly link: string
  readonly mac: Mac
  /** vxlan: outer destination address. The all-zero MAC with a destination takes what has no entry. */
  readonly destination?: Ip
  /** `permanent` is never forwarded to (a local address) on bridges; on vxlan it never ages. Default `permanent`. */
  readonly state?: 'permanent' | 'static' | 'dynamic'
  /** Whether the table is the bridge's (`master`) or the link's own (`self`). Default: `self`. */
  readonly owner?: 'self' | 'master'
}

export type FdbKey = Pick<FdbEntry, 'link' | 'mac' | 'destination' | 'owner'>
