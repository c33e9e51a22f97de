import type { Device } from './device.ts'
import type { Packet } from './packet.ts'

/** Octets of an Ethernet header without tags. */
export const ETHERNET = 14

/** A frame may be this much longer than a link's MTU and Ethernet header: room for a VLAN tag. */
export const VLAN_ROOM = 4

/** Puts an Ethernet header before the packet. */
export function pushEthernet(packet: Packet, high: number, low: number, source: Device, type: number): void {
  packet.reserve(ETHERNET)
  const { bytes } = packet
  const at = packet.start - ETHERNET
  bytes[at] = high >>> 8
  bytes[at + 1] = high
  bytes[at + 2] = low >>> 24
  bytes[at + 3] = low >>> 16
  bytes[at + 4] = low >>> 8
  bytes[at + 5] = low
  bytes[at + 6] = source.macHigh >>> 8
  bytes[at + 7] = source.macHigh
  bytes[at + 8] = source.macLow >>> 24
  bytes[at + 9] = source.macLow >>> 16
  bytes[at + 10] = source.macLow >>> 8
  bytes[at + 11] = source.macLow
  bytes[at + 12] = type >>> 8
  bytes[at + 13] = type
  packet.start = at
}
