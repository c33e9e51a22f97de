import { decrementTtlAt, ipv4DontFragmentAt } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop, NOTHING } from './hops.ts'
import { FRAGMENTATION_NEEDED, icmpError, TTL_EXCEEDED } from './icmp.ts'
import { ipv4Leave } from './ipv4-output.ts'
import { passes } from './netfilter-hook.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import type { RouteEntry } from './route-entry.ts'

/** Routes a packet on, as RFC 1812 section 5.2.1 says, in Linux' order. */
export function ipv4Forward(
  netns: NetworkNamespace,
  device: Device,
  packet: Packet,
  route: RouteEntry,
): void {
  const { bytes, start } = packet
  const out = route.device as Device
  if (!device.forwarding4) return drop(netns, device, packet, 'FORWARDING_OFF', 'ip')
  if (packet.group) return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
  if ((bytes[start + 8] as number) <= 1) {
    drop(netns, device, packet, 'TTL_EXCEEDED', 'ip')
    return icmpError(netns, packet, TTL_EXCEEDED, 0)
  }
  const mtu = route.pathMtu
  if (packet.length > mtu && ipv4DontFragmentAt(bytes, start)) {
    drop(netns, out, packet, 'TOO_BIG', 'ip', netns.simulation.tracing ? { mtu, ...route.because } : NOTHING)
    return icmpError(netns, packet, FRAGMENTATION_NEEDED, mtu)
  }
  decrementTtlAt(bytes, start)
  if (!passes(netns, 'forward', packet, device, out)) return
  ipv4Leave(netns, packet, route, mtu)
}
