import { foldChecksum, pseudoHeaderSum, sumWords } from './checksum.ts'
import type { Codec, PseudoHeader, TransportChecksum } from './codec.ts'
import { field, needRoom } from './field.ts'
import { ipProtocols } from './ipv4.ts'
import { setU16At, u16At } from './peek.ts'
import { needOctets, WireError } from './wire-error.ts'

// UDP, RFC 768
//
//  +-------------------------------+-------------------------------+
//  |          source port          |       destination port        |
//  +-------------------------------+-------------------------------+
//  |            length             |           checksum            |
//  +-------------------------------+-------------------------------+

export interface UdpHeader {
  readonly sourcePort: number
  readonly destinationPort: number
}

const NAME = 'udp'

/**
 * `unchecked` writes a checksum of 0, "none": allowed over IPv4 and, for tunnels, over IPv6 (RFC 6935). Checked
 * decoding accepts 0 over IPv4 and refuses it over IPv6 (RFC 8200 section 8.1).
 */
export const udp: Codec<UdpHeader, TransportChecksum> = {
  name: NAME,

  encodingLength: () => 8,

  encode(header, packet, checksums) {
    needRoom(NAME, packet, 8)
    setU16At(packet, 0, field(NAME, 'source port', header.sourcePort, 16))
    setU16At(packet, 2, field(NAME, 'destination port', header.destinationPort, 16))
    setU16At(packet, 4, field(NAME, 'length', packet.length, 16))
    setU16At(packet, 6, 0)
    if (checksums === 'unchecked') return
    const sum = udpChecksum(packet, requireAddresses(NAME, checksums))
    setU16At(packet, 6, sum === 0 ? 0xffff : sum)
  },

  decode(packet, checksums) {
    needOctets(NAME, packet, 8)
    const length = u16At(packet, 4)
    if (length < 8) throw new WireError('WIRE_MALFORMED', NAME, 4, `length ${length} is below the header's 8`)
    needOctets(NAME, packet, length)
    if (checksums !== 'unchecked')
      verify(packet.subarray(0, length), u16At(packet, 6), requireAddresses(NAME, checksums))
    const header = { sourcePort: u16At(packet, 0), destinationPort: u16At(packet, 2) }
    return { header, payload: packet.subarray(8, length) }
  },
}

function udpChecksum(datagram: Uint8Array, addresses: PseudoHeader): number {
  const sum = pseudoHeaderSum(addresses, ipProtocols.udp, datagram.length)
  return foldChecksum(sumWords(datagram, 0, datagram.length, sum))
}

function verify(datagram: Uint8Array, checksum: number, addresses: PseudoHeader): void {
  if (checksum === 0) {
    if (!addresses.source.includes(':')) return
    throw new WireError('WIRE_CHECKSUM', NAME, 6, 'a checksum is required over IPv6')
  }
  if (udpChecksum(datagram, addresses) !== 0)
    throw new WireError('WIRE_CHECKSUM', NAME, 6, 'the checksum is wrong')
}

/** The addresses, or `TypeError` for a caller that has none: its checksum cannot be known. */
export function requireAddresses(protocol: string, checksums: TransportChecksum): PseudoHeader {
  if (typeof checksums === 'object') return checksums
  throw new TypeError(`${protocol}: the checksum covers the IP addresses; pass them, or 'unchecked'`)
}
