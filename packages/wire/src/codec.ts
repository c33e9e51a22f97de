import type { Ip } from '@podfabric/netaddr'

/** The addresses of the enclosing IP header, which transport checksums cover (RFC 9293 section 3.1, RFC 8200 section 8.1). */
export interface PseudoHeader {
  readonly source: Ip
  readonly destination: Ip
}

/**
 * What to do about checksums, said by every caller. `unchecked`: write zero, believe anything. `checked` or the
 * pseudo-header's addresses: compute on encode, verify on decode.
 */
export type Checksums = 'unchecked' | 'checked' | PseudoHeader

/** A header read off the front of a packet, and the octets after it that it declares to be its payload. */
export interface Decoded<H> {
  readonly header: H
  /** A view into the packet that was decoded, never a copy. */
  readonly payload: Uint8Array
}

/**
 * The codec of one protocol header. `C` is what the codec wants to be told about checksums: `void` where the
 * protocol has none, `HeaderChecksum` where it covers the message alone, `TransportChecksum` where it covers
 * the IP addresses too.
 *
 * `encode` writes exactly `encodingLength(header)` octets at the front of `packet`. The octets after them
 * already hold the payload and end with it, so lengths and checksums are computed in place. Every octet of
 * the header is written, whatever the buffer held before. A value that has no encoding is a programmer error:
 * `RangeError`.
 *
 * `decode` never reads outside `packet`, returns a view of the payload without link-layer padding, and throws
 * only `WireError`.
 */
export interface Codec<H, C = void> {
  readonly name: string
  encodingLength(header: H): number
  encode(header: H, packet: Uint8Array, checksums: C): void
  decode(packet: Uint8Array, checksums: C): Decoded<H>
}

/** For checksums that cover the message alone: IPv4, ICMP. Addresses count as `checked`. */
export type HeaderChecksum = Checksums

/** For checksums that cover the pseudo-header: UDP, TCP, ICMPv6. */
export type TransportChecksum = 'unchecked' | PseudoHeader
