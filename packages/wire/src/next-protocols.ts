import type { Decoded, PseudoHeader } from './codec.ts'

/** What is known about a packet at the layer being read. */
export interface DissectContext {
  /** The addresses of the nearest IP header outside; undefined below a link layer. */
  readonly addresses: PseudoHeader | undefined
  /** False after a first pass found a bad checksum, and where the packet is a fragment: nothing is verified. */
  readonly verify: boolean
  /** The table in use, for finding what comes next. */
  readonly protocols: NextProtocols
}

/** A layer that was read. */
export interface DissectedHeader<H = unknown> extends Decoded<H> {
  /** What reads the payload; undefined where the payload is data. */
  readonly next: Dissector | undefined
  /** Set by IP headers: what transport checksums inside cover. */
  readonly addresses?: PseudoHeader
  /** Set where the payload is a fragment: what is inside cannot be verified. */
  readonly fragment?: boolean
}

/** Reads one protocol in a dissection. Throws only `WireError`. */
export interface Dissector {
  /** The layer's `protocol`, by convention the codec's name. */
  readonly protocol: string
  read(packet: Uint8Array, context: DissectContext): DissectedHeader
}

/**
 * Which protocol comes next, as a value. Extend it by spreading: a package with a tunnel protocol on a UDP port
 * gives `{ ...nextProtocols, udpPorts: new Map([...nextProtocols.udpPorts, [4789, vxlanDissector]]) }`.
 */
export interface NextProtocols {
  /** By pcap link type. */
  readonly linkTypes: ReadonlyMap<number, Dissector>
  readonly etherTypes: ReadonlyMap<number, Dissector>
  /** By IPv4 protocol or IPv6 next header. */
  readonly ipProtocols: ReadonlyMap<number, Dissector>
  /** By destination port, else by source port. */
  readonly udpPorts: ReadonlyMap<number, Dissector>
  /** As `udpPorts`. Segments are not reassembled. */
  readonly tcpPorts: ReadonlyMap<number, Dissector>
}
