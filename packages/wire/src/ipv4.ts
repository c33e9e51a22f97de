import { type Ipv4, ipFromBytes, ipToBytes } from '@podfabric/netaddr'
import { internetChecksum } from './checksum.ts'
import type { Codec, HeaderChecksum } from './codec.ts'
import { field, needRoom } from './field.ts'
import { setU16At, u8At, u16At } from './peek.ts'
import { needOctets, WireError } from './wire-error.ts'

// IPv4, RFC 791, with the DS field of RFC 2474 and ECN of RFC 3168
//
//  +-------+-------+-----------+---+-------------------------------+
//  |   4   |  IHL  |   DSCP    |ECN|         total length          |
//  +-------+-------+-----------+---+-----+-------------------------+
//  |        identification         |0 D M|     fragment offset     |
//  +---------------+---------------+-----+-------------------------+
//  |      TTL      |   protocol    |        header checksum        |
//  +---------------+---------------+-------------------------------+
//  |                        source address                         |
//  +---------------------------------------------------------------+
//  |                      destination address                      |
//  +---------------------------------------------------------------+
//  |                    options, padded with 0                     |

/** Assigned protocol numbers, shared by IPv4's protocol and IPv6's next header. */
export const ipProtocols = {
  hopByHop: 0,
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  routing: 43,
  fragment: 44,
  gre: 47,
  icmpv6: 58,
  noNextHeader: 59,
  destinationOptions: 60,
  sctp: 132,
} as const

/** One option, with its type octet as it is on the wire. No-operation is type 1 with no data. */
export interface Ipv4Option {
  readonly type: number
  readonly data: Uint8Array
}

export interface Ipv4Header {
  readonly source: Ipv4
  readonly destination: Ipv4
  readonly protocol: number
  /** 0 to 255 hops. */
  readonly ttl: number
  readonly identification: number
  readonly dontFragment: boolean
  readonly moreFragments: boolean
  /** In octets: a multiple of 8, at most 65,528. */
  readonly fragmentOffset: number
  /** Differentiated services code point, 0 to 63. */
  readonly dscp: number
  /** Explicit congestion notification, 0 to 3. */
  readonly ecn: number
  /** In order, without the end-of-options mark and the padding after it. At most 40 octets. */
  readonly options: readonly Ipv4Option[]
}

/** A header with time to live 64, not fragmented, without options, unless said otherwise. */
export function ipv4Header(
  fields: Pick<Ipv4Header, 'source' | 'destination' | 'protocol'> & Partial<Ipv4Header>,
): Ipv4Header {
  return {
    ttl: 64,
    identification: 0,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    dscp: 0,
    ecn: 0,
    options: [],
    ...fields,
  }
}

const NAME = 'ipv4'
const NO_DATA = new Uint8Array(0)

export const ipv4: Codec<Ipv4Header, HeaderChecksum> = {
  name: NAME,

  encodingLength: (header) => (header.options.length === 0 ? 20 : 20 + optionsLength(header.options)),

  encode(header, packet, checksums) {
    const length = ipv4.encodingLength(header)
    needRoom(NAME, packet, length)
    packet[0] = 0x40 | (length >>> 2)
    packet[1] = (field(NAME, 'dscp', header.dscp, 6) << 2) | field(NAME, 'ecn', header.ecn, 2)
    setU16At(packet, 2, field(NAME, 'total length', packet.length, 16))
    setU16At(packet, 4, field(NAME, 'identification', header.identification, 16))
    setU16At(packet, 6, fragmentWord(header))
    packet[8] = field(NAME, 'ttl', header.ttl, 8)
    packet[9] = field(NAME, 'protocol', header.protocol, 8)
    setU16At(packet, 10, 0)
    ipToBytes(header.source, packet, 12)
    ipToBytes(header.destination, packet, 16)
    if (length > 20) encodeOptions(header.options, packet, length)
    if (checksums !== 'unchecked') setU16At(packet, 10, internetChecksum(packet, 0, length))
  },

  decode(packet, checksums) {
    needOctets(NAME, packet, 20)
    const first = u8At(packet, 0)
    if (first >>> 4 !== 4)
      throw new WireError('WIRE_MALFORMED', NAME, 0, `the version is ${first >>> 4}, not 4`)
    const length = (first & 15) * 4
    if (length < 20)
      throw new WireError('WIRE_MALFORMED', NAME, 0, `a header length of ${length} octets is below 20`)
    needOctets(NAME, packet, length)
    if (checksums !== 'unchecked' && internetChecksum(packet, 0, length) !== 0) {
      throw new WireError('WIRE_CHECKSUM', NAME, 10, 'the header checksum is wrong')
    }
    const total = u16At(packet, 2)
    if (total < length)
      throw new WireError('WIRE_MALFORMED', NAME, 2, `total length ${total} is below the header's ${length}`)
    needOctets(NAME, packet, total)
    const fragment = u16At(packet, 6)
    if ((fragment & 0x8000) !== 0) throw new WireError('WIRE_MALFORMED', NAME, 6, 'the reserved flag is set')
    const service = u8At(packet, 1)
    const header = {
      source: ipFromBytes(packet, 12, 4),
      destination: ipFromBytes(packet, 16, 4),
      protocol: u8At(packet, 9),
      ttl: u8At(packet, 8),
      identification: u16At(packet, 4),
      dontFragment: (fragment & 0x4000) !== 0,
      moreFragments: (fragment & 0x2000) !== 0,
      fragmentOffset: (fragment & 0x1fff) * 8,
      dscp: service >>> 2,
      ecn: service & 3,
      options: length === 20 ? [] : decodeOptions(packet, length),
    }
    return { header, payload: packet.subarray(length, total) }
  },
}

function fragmentWord(header: Ipv4Header): number {
  const offset = field(NAME, 'fragment offset', header.fragmentOffset, 16)
  if (offset % 8 !== 0) throw new RangeError(`${NAME}: fragment offset ${offset} is not a multiple of 8`)
  return (header.dontFragment ? 0x4000 : 0) | (header.moreFragments ? 0x2000 : 0) | (offset / 8)
}

function isSingleOctet(type: number): boolean {
  return type <= 1
}

function optionsLength(options: readonly Ipv4Option[]): number {
  let length = 0
  for (const option of options) length += isSingleOctet(option.type) ? 1 : 2 + option.data.length
  const padded = (length + 3) & ~3
  if (padded > 40) throw new RangeError(`${NAME}: options take ${length} octets, at most 40 fit`)
  return padded
}

function encodeOptions(options: readonly Ipv4Option[], packet: Uint8Array, end: number): void {
  let at = 20
  for (const { type, data } of options) {
    if (field(NAME, 'option type', type, 8) === 0)
      throw new RangeError(`${NAME}: the end-of-options mark is written by itself`)
    packet[at++] = type
    if (isSingleOctet(type)) continue
    packet[at++] = 2 + data.length
    packet.set(data, at)
    at += data.length
  }
  packet.fill(0, at, end)
}

function decodeOptions(packet: Uint8Array, end: number): Ipv4Option[] {
  const options: Ipv4Option[] = []
  let at = 20
  while (at < end) {
    const type = packet[at] ?? 0
    if (type === 0) break
    if (isSingleOctet(type)) {
      options.push({ type, data: NO_DATA })
      at++
      continue
    }
    const length = at + 1 < end ? (packet[at + 1] ?? 0) : 0
    if (length < 2 || at + length > end) {
      throw new WireError('WIRE_MALFORMED', NAME, at, `option ${type} has a length that does not fit`)
    }
    options.push({ type, data: packet.subarray(at + 2, at + length) })
    at += length
  }
  return options
}
