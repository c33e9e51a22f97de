import { foldChecksum, pseudoHeaderSum, sumWords } from './checksum.ts'
import type { Codec, PseudoHeader, TransportChecksum } from './codec.ts'
import { field, needRoom, viewOf } from './field.ts'
import { ipProtocols } from './ipv4.ts'
import { decodeTcpOptions, encodeTcpOption, type TcpOption, tcpOptionLength } from './tcp-option.ts'
import { requireAddresses } from './udp.ts'
import { needOctets, WireError } from './wire-error.ts'

// TCP, RFC 9293
//
//  +-------------------------------+-------------------------------+
//  |          source port          |       destination port        |
//  +-------------------------------+-------------------------------+
//  |                        sequence number                        |
//  +---------------------------------------------------------------+
//  |                     acknowledgment number                     |
//  +-------+-----+-----------------+-------------------------------+
//  |offset |  0  | AE ... SYN FIN  |            window             |
//  +-------+-----+-----------------+-------------------------------+
//  |           checksum            |        urgent pointer         |
//  +-------------------------------+-------------------------------+
//  |                    options, padded with 0                     |

/** The bits of `TcpHeader.flags`. */
export const tcpFlags = {
  fin: 0x001,
  syn: 0x002,
  rst: 0x004,
  psh: 0x008,
  ack: 0x010,
  urg: 0x020,
  ece: 0x040,
  cwr: 0x080,
  /** Accurate ECN, RFC 9768. */
  ae: 0x100,
} as const

export interface TcpHeader {
  readonly sourcePort: number
  readonly destinationPort: number
  /** 32 bits. */
  readonly sequence: number
  /** 32 bits; 0 unless `flags` has `tcpFlags.ack`. */
  readonly acknowledgment: number
  /** A combination of `tcpFlags`. */
  readonly flags: number
  /** As on the wire, before scaling. */
  readonly window: number
  readonly urgentPointer: number
  /** In order, without the end-of-options mark and the padding after it. At most 40 octets. */
  readonly options: readonly TcpOption[]
}

const NAME = 'tcp'

/** A header with a full window and no options, unless said otherwise. */
export function tcpHeader(
  fields: Pick<TcpHeader, 'sourcePort' | 'destinationPort' | 'sequence' | 'flags'> & Partial<TcpHeader>,
): TcpHeader {
  return { acknowledgment: 0, window: 0xffff, urgentPointer: 0, options: [], ...fields }
}

export const tcp: Codec<TcpHeader, TransportChecksum> = {
  name: NAME,

  encodingLength(header) {
    let length = 0
    for (const option of header.options) length += tcpOptionLength(option)
    if (length > 40) throw new RangeError(`${NAME}: options take ${length} octets, at most 40 fit`)
    return 20 + ((length + 3) & ~3)
  },

  encode(header, packet, checksums) {
    const length = tcp.encodingLength(header)
    needRoom(NAME, packet, length)
    const view = viewOf(packet)
    view.setUint16(0, field(NAME, 'source port', header.sourcePort, 16))
    view.setUint16(2, field(NAME, 'destination port', header.destinationPort, 16))
    view.setUint32(4, field(NAME, 'sequence', header.sequence, 32))
    view.setUint32(8, field(NAME, 'acknowledgment', header.acknowledgment, 32))
    view.setUint16(12, (length << 10) | field(NAME, 'flags', header.flags, 9))
    view.setUint16(14, field(NAME, 'window', header.window, 16))
    view.setUint16(16, 0)
    view.setUint16(18, field(NAME, 'urgent pointer', header.urgentPointer, 16))
    let at = 20
    for (const option of header.options) at = encodeTcpOption(option, view, at)
    packet.fill(0, at, length)
    if (checksums !== 'unchecked') view.setUint16(16, tcpChecksum(packet, requireAddresses(NAME, checksums)))
  },

  decode(packet, checksums) {
    needOctets(NAME, packet, 20)
    const view = viewOf(packet)
    const word = view.getUint16(12)
    const length = (word >>> 12) * 4
    if (length < 20)
      throw new WireError('WIRE_MALFORMED', NAME, 12, `a data offset of ${length} octets is below 20`)
    needOctets(NAME, packet, length)
    if (checksums !== 'unchecked' && tcpChecksum(packet, requireAddresses(NAME, checksums)) !== 0) {
      throw new WireError('WIRE_CHECKSUM', NAME, 16, 'the checksum is wrong')
    }
    const header = {
      sourcePort: view.getUint16(0),
      destinationPort: view.getUint16(2),
      sequence: view.getUint32(4),
      acknowledgment: view.getUint32(8),
      flags: word & 0x1ff,
      window: view.getUint16(14),
      urgentPointer: view.getUint16(18),
      options: length === 20 ? [] : decodeTcpOptions(packet, view, 20, length),
    }
    return { header, payload: packet.subarray(length) }
  },
}

function tcpChecksum(segment: Uint8Array, addresses: PseudoHeader): number {
  const sum = pseudoHeaderSum(addresses, ipProtocols.tcp, segment.length)
  return foldChecksum(sumWords(segment, 0, segment.length, sum))
}
