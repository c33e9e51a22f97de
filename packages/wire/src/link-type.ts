/** What a captured packet begins with: the numbers of the pcap LINKTYPE registry. */
export const linkTypes = {
  /** A 4-octet address family in the capturing host's byte order, then IP. */
  null: 0,
  ethernet: 1,
  /** IPv4 or IPv6, told apart by the version. */
  raw: 101,
  /** The "cooked" header of captures on Linux' `any` device. */
  linuxSll: 113,
  ipv4: 228,
  ipv6: 229,
  /** The newer cooked header, with the interface index. */
  linuxSll2: 276,
} as const
