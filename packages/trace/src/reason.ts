/** Why a packet went where it went. */
export type PassReason =
  | 'SENT'
  | 'RECEIVED'
  | 'TRANSMITTED'
  /** The destination is an address of this namespace. */
  | 'LOCAL_ADDRESS'
  /** A route of a table matched. */
  | 'ROUTE'
  /** A neighbor entry, or neighbor discovery's answer, gave the MAC address. */
  | 'NEIGHBOR'
  /** Asked the link who has the address; the packet waits. */
  | 'NEIGHBOR_ASKED'
  | 'FDB_HIT'
  /** No entry for the MAC: to every port. */
  | 'FDB_FLOOD'
  /** Broadcast or multicast: to every port. */
  | 'BROADCAST'
  /** A vxlan fdb entry gave the remote endpoint. */
  | 'TUNNEL_PEER'
  | 'MASQUERADE'
  | 'SNAT'
  | 'DNAT'
  /** Translated back, as the connection's first packet was. */
  | 'NAT_REPLY'
  | 'SOCKET'
  /** Answered by the kernel: echo, ARP, neighbor discovery. */
  | 'ANSWERED'

/** Why a packet ended. */
export type DropReason =
  | 'NO_ROUTE'
  | 'ROUTE_BLACKHOLE'
  | 'ROUTE_UNREACHABLE'
  | 'ROUTE_PROHIBIT'
  /** Nobody answered for the next hop's address. */
  | 'NEIGHBOR_FAILED'
  | 'TTL_EXCEEDED'
  /** Larger than the MTU, and must not be fragmented. */
  | 'TOO_BIG'
  | 'FORWARDING_OFF'
  | 'LINK_DOWN'
  /** The link's other end is down, or the underlay is cut. */
  | 'NO_CARRIER'
  /** Lost on the underlay, as its loss rate says. */
  | 'LOST'
  | 'NOT_FOR_THIS_HOST'
  | 'NO_SOCKET'
  | 'SOCKET_FULL'
  | 'BAD_CHECKSUM'
  | 'MALFORMED'
  | 'UNKNOWN_PROTOCOL'
  /** A vxlan link has neither an fdb entry nor a default destination for the MAC. */
  | 'NO_TUNNEL_PEER'
  /** No device of that VNI at that port. */
  | 'UNKNOWN_VNI'
  | 'NFT_DROP'
  | 'NFT_REJECT'
  | 'REVERSE_PATH'
  /** It would leave by the bridge port it came in by, without hairpin. */
  | 'HAIRPIN_OFF'
  | 'PORT_ISOLATED'
  | 'SOURCE_INVALID'
  | 'LOOP'
  /** Nobody saw it again after the hop before. Where packets are captured, not simulated, that is all there is to know. */
  | 'NOT_SEEN_AGAIN'

export type Reason = PassReason | DropReason
