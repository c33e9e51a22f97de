import { type Ipv6, ipFromBytes, ipToBytes } from '@podfabric/netaddr'
import type { Codec } from './codec.ts'
import { field, needRoom } from './field.ts'
import { ipProtocols } from './ipv4.ts'
import {
  decodeExtension,
  encodeExtension,
  extensionLength,
  extensionProtocol,
  type Ipv6Extension,
} from './ipv6-extension.ts'
import { setU16At, setU32At, u8At, u16At, u32At } from './peek.ts'
import { needOctets, WireError } from './wire-error.ts'

// IPv6, RFC 8200
//
//  +-------+-----------+---+---------------------------------------+
//  |   6   |   DSCP    |ECN|              flow label               |
//  +-------+-----------+---+-------+---------------+---------------+
//  |        payload length         |  next header  |   hop limit   |
//  +-------------------------------+---------------+---------------+
//  |                   source address, 16 octets                   |
//  |                destination address, 16 octets                 |
//  |                       extension headers                       |

export interface Ipv6Header {
  readonly source: Ipv6
  readonly destination: Ipv6
  /** The protocol after the last extension header; the numbers in between follow from `extensions`. */
  readonly nextHeader: number
  /** 0 to 255 hops. */
  readonly hopLimit: number
  /** Differentiated services code point, 0 to 63. */
  readonly dscp: number
  /** Explicit congestion notification, 0 to 3. */
  readonly ecn: number
  /** 20 bits. */
  readonly flowLabel: number
  /** In order. A hop-by-hop header can only be the first. */
  readonly extensions: readonly Ipv6Extension[]
}

/** A header with hop limit 64 and no extensions, unless said otherwise. */
export function ipv6Header(
  fields: Pick<Ipv6Header, 'source' | 'destination' | 'nextHeader'> & Partial<Ipv6Header>,
): Ipv6Header {
  return { hopLimit: 64, dscp: 0, ecn: 0, flowLabel: 0, extensions: [], ...fields }
}

const NAME = 'ipv6'

/** Jumbograms (RFC 2675) are not read: a payload length of 0 means no payload. */
export const ipv6: Codec<Ipv6Header> = {
  name: NAME,

  encodingLength(header) {
    let length = 40
    for (const extension of header.extensions) length += extensionLength(extension)
    return length
  },

  encode(header, packet) {
    needRoom(NAME, packet, ipv6.encodingLength(header))
    const service = (field(NAME, 'dscp', header.dscp, 6) << 2) | field(NAME, 'ecn', header.ecn, 2)
    setU32At(packet, 0, 0x6000_0000 | (service << 20) | field(NAME, 'flow label', header.flowLabel, 20))
    setU16At(packet, 4, field(NAME, 'payload length', packet.length - 40, 16))
    packet[7] = field(NAME, 'hop limit', header.hopLimit, 8)
    ipToBytes(header.source, packet, 8)
    ipToBytes(header.destination, packet, 24)
    encodeChain(header, packet)
  },

  decode(packet) {
    needOctets(NAME, packet, 40)
    const first = u32At(packet, 0)
    if (first >>> 28 !== 6)
      throw new WireError('WIRE_MALFORMED', NAME, 0, `the version is ${first >>> 28}, not 6`)
    const end = 40 + u16At(packet, 4)
    needOctets(NAME, packet, end)
    const datagram = packet.subarray(0, end)
    const chain = decodeChain(datagram, u8At(packet, 6))
    const header = {
      source: ipFromBytes(packet, 8, 6),
      destination: ipFromBytes(packet, 24, 6),
      nextHeader: chain.nextHeader,
      hopLimit: u8At(packet, 7),
      dscp: (first >>> 22) & 63,
      ecn: (first >>> 20) & 3,
      flowLabel: first & 0xf_ffff,
      extensions: chain.extensions,
    }
    return { header, payload: datagram.subarray(chain.end) }
  },
}

function encodeChain(header: Ipv6Header, packet: Uint8Array): void {
  const upper = field(NAME, 'next header', header.nextHeader, 8)
  if (isExtension(upper) && !endsInFragment(header)) {
    throw new RangeError(`${NAME}: next header ${upper} is an extension header; put it into extensions`)
  }
  const protocols = [...header.extensions.map(extensionProtocol), upper]
  if (protocols.indexOf(ipProtocols.hopByHop, 1) > 0 && !endsInFragment(header)) {
    throw new RangeError(`${NAME}: a hop-by-hop header can only be the first extension`)
  }
  packet[6] = protocols[0] ?? upper
  let at = 40
  header.extensions.forEach((extension, i) => {
    at = encodeExtension(extension, protocols[i + 1] ?? upper, packet, at)
  })
}

function isExtension(protocol: number): boolean {
  switch (protocol) {
    case ipProtocols.hopByHop:
    case ipProtocols.routing:
    case ipProtocols.fragment:
    case ipProtocols.destinationOptions:
      return true
    default:
      return false
  }
}

/** After a fragment header that is not the first fragment's there are no headers, only a piece of the payload. */
function endsInFragment(header: Ipv6Header): boolean {
  const last = header.extensions.at(-1)
  return last?.kind === 'fragment' && last.offset > 0
}

function decodeChain(
  packet: Uint8Array,
  first: number,
): { extensions: Ipv6Extension[]; nextHeader: number; end: number } {
  const extensions: Ipv6Extension[] = []
  let nextHeader = first
  let end = 40
  for (;;) {
    if (nextHeader === ipProtocols.hopByHop && extensions.length > 0) {
      throw new WireError('WIRE_MALFORMED', NAME, end, 'a hop-by-hop header is not the first extension')
    }
    const found = decodeExtension(nextHeader, packet, end)
    if (found === undefined) return { extensions, nextHeader, end }
    extensions.push(found.extension)
    nextHeader = found.nextHeader
    end = found.end
    if (found.extension.kind === 'fragment' && found.extension.offset > 0)
      return { extensions, nextHeader, end }
  }
}
