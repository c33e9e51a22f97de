import type { Codec } from './codec.ts'
import { etherTypes } from './ethernet.ts'
import { field, needRoom, viewOf } from './field.ts'
import { needOctets, WireError } from './wire-error.ts'

// Link headers that exist only in captures.
//
// LINKTYPE_NULL:        family, 4 octets in the capturing host's order
// LINKTYPE_LINUX_SLL:   packet type 2, ARPHRD 2, address length 2, address 8, EtherType 2
// LINKTYPE_LINUX_SLL2:  EtherType 2, reserved 2, interface 4, ARPHRD 2, packet type 1, address length 1, address 8

/** BSD loopback. Written little-endian, with family 2 for IPv4 and 30 for IPv6. */
export interface NullLinkHeader {
  /** The EtherType that the family stands for. */
  readonly type: number
}

/** A packet as Linux' `any` device shows it. */
export interface LinuxCookedHeader {
  /** 0 to us, 1 broadcast, 2 multicast, 3 to somebody else, 4 sent by us. */
  readonly packetType: number
  /** The ARPHRD number of the link: 1 for Ethernet. */
  readonly hardware: number
  /** The sender's link-layer address, at most 8 octets. */
  readonly address: Uint8Array
  readonly type: number
}

/** As `LinuxCookedHeader`, with the link's index. */
export interface LinuxCooked2Header extends LinuxCookedHeader {
  readonly interfaceIndex: number
}

const families = new Map([
  [2, etherTypes.ipv4],
  [24, etherTypes.ipv6],
  [28, etherTypes.ipv6],
  [30, etherTypes.ipv6],
])

export const nullLink: Codec<NullLinkHeader> = {
  name: 'null',
  encodingLength: () => 4,
  encode(header, packet) {
    needRoom('null', packet, 4)
    if (header.type !== etherTypes.ipv4 && header.type !== etherTypes.ipv6) {
      throw new RangeError(`null: 0x${header.type.toString(16)} has no address family`)
    }
    viewOf(packet).setUint32(0, header.type === etherTypes.ipv4 ? 2 : 30, true)
  },
  decode(packet) {
    needOctets('null', packet, 4)
    const view = viewOf(packet)
    const type = families.get(view.getUint32(0, true)) ?? families.get(view.getUint32(0))
    if (type === undefined)
      throw new WireError('WIRE_UNSUPPORTED', 'null', 0, 'the address family is not IPv4 or IPv6')
    return { header: { type }, payload: packet.subarray(4) }
  },
}

export const linuxSll: Codec<LinuxCookedHeader> = {
  name: 'sll',
  encodingLength: () => 16,
  encode(header, packet) {
    needRoom('sll', packet, 16)
    const view = viewOf(packet)
    view.setUint16(0, field('sll', 'packet type', header.packetType, 16))
    view.setUint16(2, field('sll', 'hardware', header.hardware, 16))
    view.setUint16(4, header.address.length)
    writeAddress('sll', header.address, packet, 6)
    view.setUint16(14, field('sll', 'type', header.type, 16))
  },
  decode(packet) {
    needOctets('sll', packet, 16)
    const view = viewOf(packet)
    const header = {
      packetType: view.getUint16(0),
      hardware: view.getUint16(2),
      address: packet.subarray(6, 6 + Math.min(8, view.getUint16(4))),
      type: view.getUint16(14),
    }
    return { header, payload: packet.subarray(16) }
  },
}

export const linuxSll2: Codec<LinuxCooked2Header> = {
  name: 'sll2',
  encodingLength: () => 20,
  encode(header, packet) {
    needRoom('sll2', packet, 20)
    const view = viewOf(packet)
    view.setUint16(0, field('sll2', 'type', header.type, 16))
    view.setUint16(2, 0)
    view.setUint32(4, field('sll2', 'interface index', header.interfaceIndex, 32))
    view.setUint16(8, field('sll2', 'hardware', header.hardware, 16))
    packet[10] = field('sll2', 'packet type', header.packetType, 8)
    packet[11] = header.address.length
    writeAddress('sll2', header.address, packet, 12)
  },
  decode(packet) {
    needOctets('sll2', packet, 20)
    const view = viewOf(packet)
    const header = {
      packetType: view.getUint8(10),
      hardware: view.getUint16(8),
      address: packet.subarray(12, 12 + Math.min(8, view.getUint8(11))),
      type: view.getUint16(0),
      interfaceIndex: view.getUint32(4),
    }
    return { header, payload: packet.subarray(20) }
  },
}

function writeAddress(protocol: string, address: Uint8Array, packet: Uint8Array, at: number): void {
  if (address.length > 8)
    throw new RangeError(`${protocol}: an address of ${address.length} octets, at most 8 fit`)
  packet.fill(0, at, at + 8)
  packet.set(address, at)
}
