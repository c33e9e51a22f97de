// Fields of headers by offset, for packet paths: no views, no objects, no checks. `at` is where the header
// begins in `bytes`; the caller has made sure that the header is all there.

export function u8At(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

/** 16 bits in network order. */
export function u16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}

/** 32 bits in network order, unsigned. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  )
}

export function setU16At(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function setU32At(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** A MAC address as a number below 2^48, the same as `macToNumber` gives. */
export function macAt(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at) * 0x1_0000_0000 + u32At(bytes, at + 2)
}

export function setMacAt(bytes: Uint8Array, at: number, mac: number): void {
  setU16At(bytes, at, Math.floor(mac / 0x1_0000_0000))
  setU32At(bytes, at + 2, mac)
}

/** Whether the MAC address at `at` has the group bit: multicast or broadcast. */
export function isGroupMacAt(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at] as number) & 1) === 1
}

/** The 16 bits after an Ethernet header's addresses: an EtherType, or 0x8100 where a VLAN tag follows. */
export function etherTypeAt(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at + 12)
}

export function ipVersionAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) >>> 4
}

/** In octets. */
export function ipv4HeaderLengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) & 15) << 2
}

/** In octets, header included. */
export function ipv4TotalLengthAt(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at + 2)
}

export function ipv4DontFragmentAt(bytes: Uint8Array, at: number): boolean {
  return ((bytes[at + 6] as number) & 0x40) !== 0
}

/** Whether the packet is any fragment but a whole datagram. */
export function ipv4IsFragmentAt(bytes: Uint8Array, at: number): boolean {
  return (u16At(bytes, at + 6) & 0x3fff) !== 0
}

/** In octets; above 0 there is no transport header in the packet. */
export function ipv4FragmentOffsetAt(bytes: Uint8Array, at: number): number {
  return (u16At(bytes, at + 6) & 0x1fff) << 3
}

export function ipv4TtlAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 8] as number
}

export function ipv4ProtocolAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 9] as number
}

/** As `ipv4ToNumber` gives. */
export function ipv4SourceAt(bytes: Uint8Array, at: number): number {
  return u32At(bytes, at + 12)
}

/** As `ipv4ToNumber` gives. */
export function ipv4DestinationAt(bytes: Uint8Array, at: number): number {
  return u32At(bytes, at + 16)
}

/** Takes one from the time to live, which must not be 0, and mends the header checksum (RFC 1624). */
export function decrementTtlAt(bytes: Uint8Array, at: number): void {
  bytes[at + 8] = (bytes[at + 8] as number) - 1
  // The word of time to live and protocol went down by 0x0100, so the checksum goes up by as much.
  const sum = u16At(bytes, at + 10) + 0x0100
  setU16At(bytes, at + 10, sum >= 0xffff ? sum + 1 : sum)
}

/** In octets, without the 40 of the header. */
export function ipv6PayloadLengthAt(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at + 4)
}

/** The first next-header number, which may be an extension's. */
export function ipv6NextHeaderAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 6] as number
}

export function ipv6HopLimitAt(bytes: Uint8Array, at: number): number {
  return bytes[at + 7] as number
}

/** Takes one from the hop limit, which must not be 0; no checksum covers it. */
export function decrementHopLimitAt(bytes: Uint8Array, at: number): void {
  bytes[at + 7] = (bytes[at + 7] as number) - 1
}

/** Reads the four words of the source address to `words[offset]`, as `ipv6ToWords` does. */
export function ipv6SourceAt(bytes: Uint8Array, at: number, words: Uint32Array, offset = 0): void {
  ipv6WordsAt(bytes, at + 8, words, offset)
}

/** Reads the four words of the destination address to `words[offset]`, as `ipv6ToWords` does. */
export function ipv6DestinationAt(bytes: Uint8Array, at: number, words: Uint32Array, offset = 0): void {
  ipv6WordsAt(bytes, at + 24, words, offset)
}

/** Reads the four words of an IPv6 address at `at` itself. */
export function ipv6WordsAt(bytes: Uint8Array, at: number, words: Uint32Array, offset = 0): void {
  words[offset] = u32At(bytes, at)
  words[offset + 1] = u32At(bytes, at + 4)
  words[offset + 2] = u32At(bytes, at + 8)
  words[offset + 3] = u32At(bytes, at + 12)
}

/** Of a UDP or TCP header. */
export function sourcePortAt(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at)
}

/** Of a UDP or TCP header. */
export function destinationPortAt(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at + 2)
}

/** The flags of a TCP header, as `tcpFlags`. */
export function tcpFlagsAt(bytes: Uint8Array, at: number): number {
  return u16At(bytes, at + 12) & 0x1ff
}
