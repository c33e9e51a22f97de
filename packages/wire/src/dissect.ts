import type { Codec, PseudoHeader } from './codec.ts'
import { linkTypes } from './link-type.ts'
import type { DissectContext, DissectedHeader, Dissector, NextProtocols } from './next-protocols.ts'
import { nextProtocols } from './protocols.ts'
import { WireError, type WireErrorCode } from './wire-error.ts'

/** One header of a packet. */
export interface DissectedLayer {
  /** The codec's name: `ethernet`, `ipv4`, `udp`. */
  readonly protocol: string
  /** The codec's header value. `headerOf` gives it with its type. */
  readonly header: unknown
  /** Where the header begins, in octets from the packet's start. */
  readonly offset: number
  /** How many octets the header takes, options included. */
  readonly length: number
}

/** Why a layer could not be read, or cannot be trusted. */
export interface DissectionError {
  /** The protocol that was being read. */
  readonly layer: string
  /** Octets from the packet's start. */
  readonly offset: number
  readonly code: WireErrorCode
  readonly reason: string
}

export interface Dissection {
  /** Outermost first; those that were read. */
  readonly layers: readonly DissectedLayer[]
  /** The octets inside the last layer that nobody reads; a view. */
  readonly payload: Uint8Array
  /** Where the payload begins, in octets from the packet's start. */
  readonly payloadOffset: number
  /**
   * Empty for a sound packet. A wrong checksum is noted and reading goes on; any other error ends the
   * dissection, with the layer's octets as payload.
   */
  readonly errors: readonly DissectionError[]
}

export interface DissectOptions {
  /** What the packet begins with, a pcap link type (default Ethernet), or a protocol such as `ipv4`. */
  readonly start?: number | Dissector
  /** Default: the protocols of this package. */
  readonly protocols?: NextProtocols
  /** Default true. False for packets whose checksums are left to the network card, as in captures on the sender. */
  readonly verifyChecksums?: boolean
}

/** Tunnels in tunnels end here; a packet of 64 kB could nest thousands. */
const MAX_LAYERS = 32

/** Reads a packet's headers as far as they are known. Never throws for what the packet holds. */
export function dissect(packet: Uint8Array, options: DissectOptions = {}): Dissection {
  const { start = linkTypes.ethernet, protocols = nextProtocols } = options
  const layers: DissectedLayer[] = []
  const errors: DissectionError[] = []
  let current = typeof start === 'number' ? protocols.linkTypes.get(start) : start
  let payload = packet
  let offset = 0
  let addresses: PseudoHeader | undefined
  let verify = options.verifyChecksums ?? true
  if (current === undefined) {
    errors.push({
      layer: `link type ${start}`,
      offset: 0,
      code: 'WIRE_UNSUPPORTED',
      reason: `link type ${start} is not known`,
    })
  }
  while (current !== undefined) {
    if (layers.length === MAX_LAYERS) {
      errors.push({
        layer: current.protocol,
        offset,
        code: 'WIRE_UNSUPPORTED',
        reason: `more than ${MAX_LAYERS} headers`,
      })
      break
    }
    const found = readLayer(current, payload, { addresses, verify, protocols }, offset, errors)
    if (found === undefined) break
    const length = found.payload.byteOffset - payload.byteOffset
    layers.push({ protocol: protocolOf(current, payload), header: found.header, offset, length })
    if (found.addresses !== undefined) addresses = found.addresses
    if (found.fragment === true) verify = false
    payload = found.payload
    offset += length
    current = found.next
  }
  return { layers, payload, payloadOffset: offset, errors }
}

function readLayer(
  dissector: Dissector,
  packet: Uint8Array,
  context: DissectContext,
  offset: number,
  errors: DissectionError[],
): DissectedHeader | undefined {
  try {
    return dissector.read(packet, context)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    errors.push({
      layer: error.protocol,
      offset: offset + error.offset,
      code: error.code,
      reason: error.message,
    })
    if (error.code !== 'WIRE_CHECKSUM') return undefined
    return readLayer(dissector, packet, { ...context, verify: false }, offset, errors)
  }
}

/** Link type "raw" is one dissector for two protocols. */
function protocolOf(dissector: Dissector, packet: Uint8Array): string {
  if (dissector.protocol !== 'ip') return dissector.protocol
  return (packet[0] ?? 0) >>> 4 === 4 ? 'ipv4' : 'ipv6'
}

/** The outermost header of the codec's protocol; `nth` 1 is the next one inside, as in a tunnel. */
export function headerOf<H, C>(dissection: Dissection, codec: Codec<H, C>, nth = 0): H | undefined {
  let seen = 0
  for (const layer of dissection.layers) {
    // Layers of this name were made by this codec: names are unique among codecs.
    if (layer.protocol === codec.name && seen++ === nth) return layer.header as H
  }
  return undefined
}
