import { type Mac, macFromBytes, macToBytes } from '@podfabric/netaddr'
import type { Codec } from './codec.ts'
import { field, needRoom } from './field.ts'
import { setU16At, u16At } from './peek.ts'
import { needOctets, WireError } from './wire-error.ts'

// Ethernet II, IEEE 802.3, with IEEE 802.1Q tags
//
//  +-------------+--------+-----------------------------+------+---------
//  | destination | source | (0x8100 | PCP DEI VID) ...  | type | payload
//  +-------------+--------+-----------------------------+------+---------
//        6            6           4 for each tag            2

/** EtherTypes, as registered with the IEEE. */
export const etherTypes = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  transparentEthernet: 0x6558,
  ipv6: 0x86dd,
  serviceVlan: 0x88a8,
  lldp: 0x88cc,
} as const

/** One IEEE 802.1Q tag. */
export interface VlanTag {
  /** 0x8100 for a customer tag, 0x88a8 for a service tag. */
  readonly protocol: 0x8100 | 0x88a8
  /** Priority code point, 0 to 7. */
  readonly priority: number
  readonly dropEligible: boolean
  /** VLAN identifier, 0 to 4095. */
  readonly id: number
}

/** An Ethernet header. The frame check sequence is not part of a packet here, as in Linux and in captures. */
export interface EthernetHeader {
  readonly destination: Mac
  readonly source: Mac
  /** Outermost first; empty for an untagged frame. */
  readonly tags: readonly VlanTag[]
  /**
   * The EtherType, 0x0600 or more; 0 for an IEEE 802.3 frame, whose field is the payload's length and whose
   * payload begins with an LLC header.
   */
  readonly type: number
}

const NAME = 'ethernet'
const FIRST_TYPE = 0x0600

/** A header without tags unless they are given. */
export function ethernetHeader(
  fields: Pick<EthernetHeader, 'destination' | 'source' | 'type'> & Partial<EthernetHeader>,
): EthernetHeader {
  return { tags: [], ...fields }
}

/** Encoding adds no padding to the minimum frame size; decoding leaves padding in an Ethernet II payload. */
export const ethernet: Codec<EthernetHeader> = {
  name: NAME,

  encodingLength: (header) => 14 + 4 * header.tags.length,

  encode(header, packet) {
    const length = 14 + 4 * header.tags.length
    needRoom(NAME, packet, length)
    macToBytes(header.destination, packet, 0)
    macToBytes(header.source, packet, 6)
    let at = 12
    for (const tag of header.tags) {
      setU16At(packet, at, tag.protocol)
      setU16At(packet, at + 2, tagControl(tag))
      at += 4
    }
    setU16At(packet, at, header.type === 0 ? payloadLength(packet.length - length) : etherType(header.type))
  },

  decode(packet) {
    needOctets(NAME, packet, 14)
    const tags: VlanTag[] = []
    let at = 12
    let type = u16At(packet, at)
    while (type === etherTypes.vlan || type === etherTypes.serviceVlan) {
      needOctets(NAME, packet, at + 6)
      const control = u16At(packet, at + 2)
      tags.push({
        protocol: type,
        priority: control >>> 13,
        dropEligible: (control & 0x1000) !== 0,
        id: control & 0xfff,
      })
      at += 4
      type = u16At(packet, at)
    }
    let end = packet.length
    if (type < FIRST_TYPE) {
      if (type > 1500)
        throw new WireError('WIRE_MALFORMED', NAME, at, `${type} is neither a length nor an EtherType`)
      end = at + 2 + type
      needOctets(NAME, packet, end)
      type = 0
    }
    const header = { destination: macFromBytes(packet, 0), source: macFromBytes(packet, 6), tags, type }
    return { header, payload: packet.subarray(at + 2, end) }
  },
}

function tagControl(tag: VlanTag): number {
  const priority = field(NAME, 'priority', tag.priority, 3)
  return (priority << 13) | (tag.dropEligible ? 0x1000 : 0) | field(NAME, 'VLAN id', tag.id, 12)
}

function etherType(type: number): number {
  field(NAME, 'type', type, 16)
  if (type < FIRST_TYPE) throw new RangeError(`${NAME}: ${type} is a length, not an EtherType`)
  if (type === etherTypes.vlan || type === etherTypes.serviceVlan) {
    throw new RangeError(`${NAME}: type 0x${type.toString(16)} begins a VLAN tag; put it into tags`)
  }
  return type
}

function payloadLength(length: number): number {
  if (length > 1500)
    throw new RangeError(`${NAME}: an IEEE 802.3 frame carries at most 1500 octets, not ${length}`)
  return length
}
