import type { Codec, PseudoHeader } from './codec.ts'
import { ipv4 } from './ipv4.ts'
import { ipv6 } from './ipv6.ts'

/** A header bound to its codec, to be put into a packet. */
export interface PacketLayer {
  readonly name: string
  readonly length: number
  /** For an IP header, what the checksums inside it cover. */
  readonly addresses: PseudoHeader | undefined
  encode(packet: Uint8Array, enclosing: PseudoHeader | undefined): void
}

/**
 * A layer for `encodePacket`. `checksums` overrides what is right for the place the layer is in: pass
 * `'unchecked'` to leave a checksum zero.
 */
export function layer<H, C>(codec: Codec<H, C>, header: H, checksums?: C): PacketLayer {
  return {
    name: codec.name,
    length: codec.encodingLength(header),
    addresses: addressesOf(codec, header),
    encode(packet, enclosing) {
      // The contract limits C to void, HeaderChecksum and TransportChecksum: the enclosing addresses suit the
      // first two everywhere, and the third refuses 'checked' with a message that says what is missing.
      codec.encode(header, packet, checksums ?? ((enclosing ?? 'checked') as C))
    },
  }
}

function addressesOf<H, C>(codec: Codec<H, C>, header: H): PseudoHeader | undefined {
  const { name } = codec
  return name === ipv4.name || name === ipv6.name ? (header as PseudoHeader) : undefined
}

/**
 * The layers, outermost first, and the payload as one packet, in one new buffer. Encoded from the inside out;
 * transport checksums take their addresses from the nearest IP layer outside them. `headroom` octets are left
 * unused before the packet in its buffer, for headers that somebody prepends later.
 */
export function encodePacket(
  layers: readonly PacketLayer[],
  payload: Uint8Array = new Uint8Array(0),
  headroom = 0,
): Uint8Array {
  let total = payload.length
  for (const { length } of layers) total += length
  const packet = headroom === 0 ? new Uint8Array(total) : new Uint8Array(headroom + total).subarray(headroom)
  packet.set(payload, total - payload.length)
  let start = total - payload.length
  for (let i = layers.length - 1; i >= 0; i--) {
    const current = layers[i] as PacketLayer
    start -= current.length
    current.encode(packet.subarray(start), enclosingAddresses(layers, i))
  }
  return packet
}

function enclosingAddresses(layers: readonly PacketLayer[], index: number): PseudoHeader | undefined {
  for (let i = index - 1; i >= 0; i--) {
    const addresses = layers[i]?.addresses
    if (addresses !== undefined) return addresses
  }
  return undefined
}
