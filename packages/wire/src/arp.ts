import { type Ipv4, ipFromBytes, ipToBytes, type Mac, macFromBytes, macToBytes } from '@podfabric/netaddr'
import type { Codec } from './codec.ts'
import { field, needRoom } from './field.ts'
import { setU16At, u16At } from './peek.ts'
import { needOctets, WireError } from './wire-error.ts'

// ARP for IPv4 over Ethernet, RFC 826
//
//  +---------------+---------------+
//  | hardware = 1  | proto 0x0800  |
//  +-------+-------+---------------+
//  | hl = 6| pl = 4|   operation   |
//  +-------+-------+---------------+
//  | sender MAC 6 | sender IP 4 | target MAC 6 | target IP 4 |

export const ARP_REQUEST = 1
export const ARP_REPLY = 2

export interface ArpHeader {
  /** `ARP_REQUEST`, `ARP_REPLY`, or another of the IANA registry. */
  readonly operation: number
  readonly senderMac: Mac
  readonly senderIp: Ipv4
  /** All zero in a request. */
  readonly targetMac: Mac
  readonly targetIp: Ipv4
}

const NAME = 'arp'

/** The payload of a decoded ARP message is empty: what follows its 28 octets is link-layer padding. */
export const arp: Codec<ArpHeader> = {
  name: NAME,

  encodingLength: () => 28,

  encode(header, packet) {
    needRoom(NAME, packet, 28)
    setU16At(packet, 0, 1)
    setU16At(packet, 2, 0x0800)
    setU16At(packet, 4, 0x0604)
    setU16At(packet, 6, field(NAME, 'operation', header.operation, 16))
    macToBytes(header.senderMac, packet, 8)
    ipToBytes(header.senderIp, packet, 14)
    macToBytes(header.targetMac, packet, 18)
    ipToBytes(header.targetIp, packet, 24)
  },

  decode(packet) {
    needOctets(NAME, packet, 8)
    if (u16At(packet, 0) !== 1)
      throw new WireError('WIRE_UNSUPPORTED', NAME, 0, 'the hardware type is not Ethernet')
    if (u16At(packet, 2) !== 0x0800)
      throw new WireError('WIRE_UNSUPPORTED', NAME, 2, 'the protocol is not IPv4')
    if (u16At(packet, 4) !== 0x0604) {
      throw new WireError('WIRE_MALFORMED', NAME, 4, 'addresses of Ethernet and IPv4 have 6 and 4 octets')
    }
    needOctets(NAME, packet, 28)
    const header = {
      operation: u16At(packet, 6),
      senderMac: macFromBytes(packet, 8),
      senderIp: ipFromBytes(packet, 14, 4),
      targetMac: macFromBytes(packet, 18),
      targetIp: ipFromBytes(packet, 24, 4),
    }
    return { header, payload: packet.subarray(28, 28) }
  },
}
