import { type Ipv4, ipFromBytes, ipToBytes } from '@podfabric/netaddr'
import { internetChecksum } from './checksum.ts'
import type { Codec, HeaderChecksum } from './codec.ts'
import { field, needRoom, viewOf } from './field.ts'
import { needOctets, WireError } from './wire-error.ts'

// ICMP, RFC 792
//
//  +---------------+---------------+-------------------------------+
//  |     type      |     code      |           checksum            |
//  +---------------+---------------+-------------------------------+
//  |        identifier + sequence, MTU, pointer, gateway, ...      |
//  +---------------------------------------------------------------+
//  |       the payload: echoed data, or the offending datagram     |

/** The codes of `unreachable`, RFC 792 and RFC 1812 section 5.2.7.1. Code 4 is the kind `fragmentation-needed`. */
export const icmpUnreachable = {
  net: 0,
  host: 1,
  protocol: 2,
  port: 3,
  netProhibited: 9,
  hostProhibited: 10,
  prohibited: 13,
} as const

/** An ICMP message by kind. The payload of an error is the IP header and first octets that caused it. */
export type IcmpHeader =
  | { readonly kind: 'echo-request'; readonly identifier: number; readonly sequence: number }
  | { readonly kind: 'echo-reply'; readonly identifier: number; readonly sequence: number }
  /** Destination unreachable with any code but 4. */
  | { readonly kind: 'unreachable'; readonly code: number }
  /** Destination unreachable, code 4: the next hop's MTU in octets, 0 from routers older than RFC 1191. */
  | { readonly kind: 'fragmentation-needed'; readonly mtu: number }
  | { readonly kind: 'redirect'; readonly code: number; readonly gateway: Ipv4 }
  /** Code 0 in transit, 1 in reassembly. */
  | { readonly kind: 'time-exceeded'; readonly code: number }
  /** `pointer`: the octet of the quoted header where the error is. */
  | { readonly kind: 'parameter-problem'; readonly code: number; readonly pointer: number }
  /** Everything else; `rest` is the second 32-bit word. */
  | { readonly kind: 'other'; readonly type: number; readonly code: number; readonly rest: number }

const NAME = 'icmp'
const ECHO_REPLY = 0
const UNREACHABLE = 3
const REDIRECT = 5
const ECHO_REQUEST = 8
const TIME_EXCEEDED = 11
const PARAMETER_PROBLEM = 12
const FRAGMENTATION_NEEDED = 4

/** Unused octets are written as zero and ignored on decode, as RFC 792 says. */
export const icmp: Codec<IcmpHeader, HeaderChecksum> = {
  name: NAME,

  encodingLength: () => 8,

  encode(header, packet, checksums) {
    needRoom(NAME, packet, 8)
    const view = viewOf(packet)
    const [type, code] = typeAndCode(header)
    packet[0] = field(NAME, 'type', type, 8)
    packet[1] = field(NAME, 'code', code, 8)
    view.setUint16(2, 0)
    encodeRest(header, packet, view)
    if (checksums !== 'unchecked') view.setUint16(2, internetChecksum(packet))
  },

  decode(packet, checksums) {
    needOctets(NAME, packet, 8)
    if (checksums !== 'unchecked' && internetChecksum(packet) !== 0) {
      throw new WireError('WIRE_CHECKSUM', NAME, 2, 'the checksum is wrong')
    }
    return { header: decodeMessage(packet), payload: packet.subarray(8) }
  },
}

function typeAndCode(header: IcmpHeader): [type: number, code: number] {
  switch (header.kind) {
    case 'echo-request':
      return [ECHO_REQUEST, 0]
    case 'echo-reply':
      return [ECHO_REPLY, 0]
    case 'unreachable':
      if (header.code === FRAGMENTATION_NEEDED)
        throw new RangeError(`${NAME}: code 4 is the kind fragmentation-needed`)
      return [UNREACHABLE, header.code]
    case 'fragmentation-needed':
      return [UNREACHABLE, FRAGMENTATION_NEEDED]
    case 'redirect':
      return [REDIRECT, header.code]
    case 'time-exceeded':
      return [TIME_EXCEEDED, header.code]
    case 'parameter-problem':
      return [PARAMETER_PROBLEM, header.code]
    case 'other':
      return [header.type, header.code]
  }
}

function encodeRest(header: IcmpHeader, packet: Uint8Array, view: DataView): void {
  view.setUint32(4, 0)
  switch (header.kind) {
    case 'echo-request':
    case 'echo-reply':
      view.setUint16(4, field(NAME, 'identifier', header.identifier, 16))
      view.setUint16(6, field(NAME, 'sequence', header.sequence, 16))
      break
    case 'fragmentation-needed':
      view.setUint16(6, field(NAME, 'mtu', header.mtu, 16))
      break
    case 'redirect':
      ipToBytes(header.gateway, packet, 4)
      break
    case 'parameter-problem':
      view.setUint8(4, field(NAME, 'pointer', header.pointer, 8))
      break
    case 'other':
      view.setUint32(4, field(NAME, 'rest', header.rest, 32))
  }
}

function decodeMessage(packet: Uint8Array): IcmpHeader {
  const view = viewOf(packet)
  const type = view.getUint8(0)
  const code = view.getUint8(1)
  switch (type) {
    case ECHO_REQUEST:
    case ECHO_REPLY:
      if (code !== 0) break
      return {
        kind: type === ECHO_REQUEST ? 'echo-request' : 'echo-reply',
        identifier: view.getUint16(4),
        sequence: view.getUint16(6),
      }
    case UNREACHABLE:
      if (code === FRAGMENTATION_NEEDED) return { kind: 'fragmentation-needed', mtu: view.getUint16(6) }
      return { kind: 'unreachable', code }
    case REDIRECT:
      return { kind: 'redirect', code, gateway: ipFromBytes(packet, 4, 4) }
    case TIME_EXCEEDED:
      return { kind: 'time-exceeded', code }
    case PARAMETER_PROBLEM:
      return { kind: 'parameter-problem', code, pointer: view.getUint8(4) }
  }
  return { kind: 'other', type, code, rest: view.getUint32(4) }
}
