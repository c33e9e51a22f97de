import type { Ip } from '@podfabric/netaddr'

/** One direction of a tracked connection. */
export interface FlowTuple {
  readonly source: Ip
  readonly destination: Ip
  /** For ICMP echo both are the identifier. */
  readonly sourcePort: number
  readonly destinationPort: number
}

/** `conntrack -L`: a connection that the kernel follows. NAT shows as a reply that does not mirror the original. */
export interface ConntrackEntry {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'icmpv6'
  readonly original: FlowTuple
  readonly reply: FlowTuple
  /** Whether a reply was seen. */
  readonly confirmedByReply: boolean
  readonly mark: number
}

/** Fields left out match everything. */
export interface ConntrackFilter {
  readonly protocol?: ConntrackEntry['protocol']
  readonly original?: Partial<FlowTuple>
  readonly reply?: Partial<FlowTuple>
}

export interface Conntrack {
  list(filter?: ConntrackFilter): Promise<readonly ConntrackEntry[]>
  /** Forgets the matching connections; returns how many there were. */
  delete(filter: ConntrackFilter): Promise<number>
}
