import { etherTypes, u16At } from '@podfabric/wire'
import { arpInput } from './arp.ts'
import type { Device } from './device.ts'
import { ETHERNET } from './frame.ts'
import { drop } from './hops.ts'
import { ipv4Input } from './ipv4-input.ts'
import { ipv6Input } from './ipv6-input.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'

/** A frame for the host itself: is it for this link, and which protocol takes it? */
export function linkInput(device: Device, packet: Packet): void {
  const { bytes, start } = packet
  const { netns } = device
  if (packet.length < ETHERNET) return drop(netns, device, packet, 'MALFORMED', 'ethernet')
  packet.group = ((bytes[start] as number) & 1) === 1
  if (
    !packet.group &&
    (i32At(bytes, start + 2) !== device.macLow || u16At(bytes, start) !== device.macHigh)
  ) {
    return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ethernet')
  }
  switch (u16At(bytes, start + 12)) {
    case etherTypes.ipv4:
      packet.start += ETHERNET
      return ipv4Input(device, packet)
    case etherTypes.ipv6:
      packet.start += ETHERNET
      return ipv6Input(device, packet)
    case etherTypes.arp:
      return arpInput(device, packet)
    default:
      return drop(netns, device, packet, 'UNKNOWN_PROTOCOL', 'ethernet')
  }
}
