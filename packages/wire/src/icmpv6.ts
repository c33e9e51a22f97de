import { type Ipv6, ipFromBytes, ipToBytes } from '@podfabric/netaddr'
import { foldChecksum, pseudoHeaderSum, sumWords } from './checksum.ts'
import type { Codec, PseudoHeader, TransportChecksum } from './codec.ts'
import { field, needRoom, viewOf } from './field.ts'
import { ipProtocols } from './ipv4.ts'
import { decodeNdOptions, encodeNdOption, type NdOption, ndOptionLength } from './nd-option.ts'
import { requireAddresses } from './udp.ts'
import { needOctets, WireError } from './wire-error.ts'

// ICMPv6, RFC 4443, and neighbor discovery, RFC 4861
//
//  +---------------+---------------+-------------------------------+
//  |     type      |     code      |           checksum            |
//  +---------------+---------------+-------------------------------+
//  |        identifier + sequence, MTU, pointer, flags, ...        |
//  +---------------------------------------------------------------+
//  |  echoed data, the offending datagram, or target and options   |

/** The codes of `unreachable`, RFC 4443 section 3.1. */
export const icmpv6Unreachable = { noRoute: 0, prohibited: 1, beyondScope: 2, address: 3, port: 4 } as const

/** An ICMPv6 message by kind. Neighbor discovery messages have no payload; an error's is what caused it. */
export type Icmpv6Header =
  | { readonly kind: 'echo-request'; readonly identifier: number; readonly sequence: number }
  | { readonly kind: 'echo-reply'; readonly identifier: number; readonly sequence: number }
  | { readonly kind: 'unreachable'; readonly code: number }
  /** In octets, 1280 or more from a well-behaved router. */
  | { readonly kind: 'packet-too-big'; readonly mtu: number }
  /** Code 0 in transit, 1 in reassembly. */
  | { readonly kind: 'time-exceeded'; readonly code: number }
  | { readonly kind: 'parameter-problem'; readonly code: number; readonly pointer: number }
  | { readonly kind: 'router-solicitation'; readonly options: readonly NdOption[] }
  | {
      readonly kind: 'router-advertisement'
      readonly hopLimit: number
      readonly managed: boolean
      readonly otherConfiguration: boolean
      /** In seconds; 0 for "not a default router". */
      readonly lifetime: number
      /** In milliseconds; 0 for unspecified. */
      readonly reachableTime: number
      /** In milliseconds; 0 for unspecified. */
      readonly retransmitTimer: number
      readonly options: readonly NdOption[]
    }
  | { readonly kind: 'neighbor-solicitation'; readonly target: Ipv6; readonly options: readonly NdOption[] }
  | {
      readonly kind: 'neighbor-advertisement'
      readonly router: boolean
      readonly solicited: boolean
      readonly override: boolean
      readonly target: Ipv6
      readonly options: readonly NdOption[]
    }
  /** Everything else, multicast listener messages among it; `rest` is the second 32-bit word. */
  | { readonly kind: 'other'; readonly type: number; readonly code: number; readonly rest: number }

const NAME = 'icmpv6'
const types = {
  unreachable: 1,
  'packet-too-big': 2,
  'time-exceeded': 3,
  'parameter-problem': 4,
  'echo-request': 128,
  'echo-reply': 129,
  'router-solicitation': 133,
  'router-advertisement': 134,
  'neighbor-solicitation': 135,
  'neighbor-advertisement': 136,
} as const
const kinds = new Map<number, keyof typeof types>()
for (const kind of Object.keys(types) as (keyof typeof types)[]) kinds.set(types[kind], kind)

/** Reserved bits are written as zero and ignored on decode, as RFC 4443 and RFC 4861 say. */
export const icmpv6: Codec<Icmpv6Header, TransportChecksum> = {
  name: NAME,

  encodingLength(header) {
    let length = fixedLength(header.kind)
    if ('options' in header) for (const option of header.options) length += ndOptionLength(option)
    return length
  },

  encode(header, packet, checksums) {
    const length = icmpv6.encodingLength(header)
    needRoom(NAME, packet, length)
    if ('options' in header && packet.length !== length) {
      throw new RangeError(
        `${NAME}: a ${header.kind} has no payload, ${packet.length - length} octets are there`,
      )
    }
    const view = viewOf(packet)
    packet[0] = field(NAME, 'type', header.kind === 'other' ? header.type : types[header.kind], 8)
    packet[1] = field(NAME, 'code', 'code' in header ? header.code : 0, 8)
    packet.fill(0, 2, fixedLength(header.kind))
    encodeBody(header, packet, view)
    if (checksums !== 'unchecked')
      view.setUint16(2, icmpv6Checksum(packet, requireAddresses(NAME, checksums)))
  },

  decode(packet, checksums) {
    needOctets(NAME, packet, 8)
    if (checksums !== 'unchecked' && icmpv6Checksum(packet, requireAddresses(NAME, checksums)) !== 0) {
      throw new WireError('WIRE_CHECKSUM', NAME, 2, 'the checksum is wrong')
    }
    const header = decodeMessage(packet)
    return { header, payload: packet.subarray('options' in header ? packet.length : 8) }
  },
}

function icmpv6Checksum(message: Uint8Array, addresses: PseudoHeader): number {
  const sum = pseudoHeaderSum(addresses, ipProtocols.icmpv6, message.length)
  return foldChecksum(sumWords(message, 0, message.length, sum))
}

function fixedLength(kind: Icmpv6Header['kind']): number {
  if (kind === 'router-advertisement') return 16
  return kind === 'neighbor-solicitation' || kind === 'neighbor-advertisement' ? 24 : 8
}

function encodeBody(header: Icmpv6Header, packet: Uint8Array, view: DataView): void {
  switch (header.kind) {
    case 'echo-request':
    case 'echo-reply':
      view.setUint16(4, field(NAME, 'identifier', header.identifier, 16))
      view.setUint16(6, field(NAME, 'sequence', header.sequence, 16))
      break
    case 'packet-too-big':
      view.setUint32(4, field(NAME, 'mtu', header.mtu, 32))
      break
    case 'parameter-problem':
      view.setUint32(4, field(NAME, 'pointer', header.pointer, 32))
      break
    case 'router-advertisement':
      packet[4] = field(NAME, 'hop limit', header.hopLimit, 8)
      packet[5] = (header.managed ? 0x80 : 0) | (header.otherConfiguration ? 0x40 : 0)
      view.setUint16(6, field(NAME, 'lifetime', header.lifetime, 16))
      view.setUint32(8, field(NAME, 'reachable time', header.reachableTime, 32))
      view.setUint32(12, field(NAME, 'retransmit timer', header.retransmitTimer, 32))
      break
    case 'neighbor-advertisement':
      packet[4] = (header.router ? 0x80 : 0) | (header.solicited ? 0x40 : 0) | (header.override ? 0x20 : 0)
      ipToBytes(header.target, packet, 8)
      break
    case 'neighbor-solicitation':
      ipToBytes(header.target, packet, 8)
      break
    case 'other':
      if (kinds.has(header.type))
        throw new RangeError(`${NAME}: type ${header.type} is the kind ${kinds.get(header.type)}`)
      view.setUint32(4, field(NAME, 'rest', header.rest, 32))
  }
  if (!('options' in header)) return
  let at = fixedLength(header.kind)
  for (const option of header.options) at = encodeNdOption(option, packet, at)
}

function decodeMessage(packet: Uint8Array): Icmpv6Header {
  const view = viewOf(packet)
  const type = view.getUint8(0)
  const code = view.getUint8(1)
  const kind = kinds.get(type)
  if (kind === undefined) return { kind: 'other', type, code, rest: view.getUint32(4) }
  if (kind === 'unreachable' || kind === 'time-exceeded') return { kind, code }
  if (kind === 'parameter-problem') return { kind, code, pointer: view.getUint32(4) }
  if (code !== 0 && kind !== 'packet-too-big') {
    throw new WireError('WIRE_MALFORMED', NAME, 1, `a ${kind} has code 0, not ${code}`)
  }
  switch (kind) {
    case 'packet-too-big':
      return { kind, mtu: view.getUint32(4) }
    case 'echo-request':
    case 'echo-reply':
      return { kind, identifier: view.getUint16(4), sequence: view.getUint16(6) }
    case 'router-solicitation':
      return { kind, options: decodeNdOptions(packet, 8) }
    case 'router-advertisement':
      return decodeRouterAdvertisement(packet, view)
    case 'neighbor-solicitation':
      needOctets(NAME, packet, 24)
      return { kind, target: ipFromBytes(packet, 8, 6), options: decodeNdOptions(packet, 24) }
    case 'neighbor-advertisement':
      return decodeNeighborAdvertisement(packet, view.getUint8(4))
  }
}

function decodeRouterAdvertisement(packet: Uint8Array, view: DataView): Icmpv6Header {
  needOctets(NAME, packet, 16)
  return {
    kind: 'router-advertisement',
    hopLimit: view.getUint8(4),
    managed: (view.getUint8(5) & 0x80) !== 0,
    otherConfiguration: (view.getUint8(5) & 0x40) !== 0,
    lifetime: view.getUint16(6),
    reachableTime: view.getUint32(8),
    retransmitTimer: view.getUint32(12),
    options: decodeNdOptions(packet, 16),
  }
}

function decodeNeighborAdvertisement(packet: Uint8Array, flags: number): Icmpv6Header {
  needOctets(NAME, packet, 24)
  return {
    kind: 'neighbor-advertisement',
    router: (flags & 0x80) !== 0,
    solicited: (flags & 0x40) !== 0,
    override: (flags & 0x20) !== 0,
    target: ipFromBytes(packet, 8, 6),
    options: decodeNdOptions(packet, 24),
  }
}
