import { ipv4HeaderLengthAt, u16At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop } from './hops.ts'
import { icmpError, PORT_UNREACHABLE } from './icmp.ts'
import { icmpv6Error, V6_PORT_UNREACHABLE } from './icmpv6.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import { transportChecksum } from './transport-checksum.ts'

const HEADER = 8
const UDP = 17

/** A UDP datagram over IPv4 for this namespace. */
export function udpInput(netns: NetworkNamespace, device: Device, packet: Packet): void {
  udpInputAt(netns, device, packet, packet.start + ipv4HeaderLengthAt(packet.bytes, packet.start))
}

/** A UDP datagram of either family whose header is at `at`. */
export function udpInputAt(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, end, start, family } = packet
  const length = end - at < HEADER ? 0 : u16At(bytes, at + 4)
  if (length < HEADER || at + length > end) return drop(netns, device, packet, 'MALFORMED', 'ip')
  const addresses = start + (family === 4 ? 12 : 8)
  const destination = start + (family === 4 ? 16 : 24)
  const endpoint = netns.udp.lookup(family, u16At(bytes, at + 2), bytes, destination)
  const checksum = u16At(bytes, at + 6)
  const unchecked = checksum === 0 && (family === 4 || endpoint?.uncheckedIpv6 === true)
  if (!unchecked && transportChecksum(bytes, at, at + length, addresses, family, UDP) !== 0) {
    return drop(netns, device, packet, 'BAD_CHECKSUM', 'ip')
  }
  if (endpoint === undefined) {
    drop(netns, device, packet, 'NO_SOCKET', 'ip')
    if (family === 4) icmpError(netns, packet, PORT_UNREACHABLE, 0)
    else icmpv6Error(netns, packet, V6_PORT_UNREACHABLE, 0)
    return
  }
  packet.end = at + length
  endpoint.receive(netns, device, packet, at)
}
