import type { DropReason } from '@podfabric/trace'
import type { Device } from './device.ts'
import { drop } from './hops.ts'
import { HOST_UNREACHABLE, icmpError, NET_UNREACHABLE, PROHIBITED } from './icmp.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import type { RouteEntry } from './route-entry.ts'

/**
 * A packet that came in and has no way on: there is no route, or one that drops. Its sender hears of it from
 * a router only; a blackhole says nothing.
 */
export function ipv4NoRoute(
  netns: NetworkNamespace,
  device: Device,
  packet: Packet,
  route: RouteEntry | undefined,
): void {
  const router = device.forwarding4
  const reason = route === undefined ? (router ? 'NO_ROUTE' : 'NOT_FOR_THIS_HOST') : dropReasonOf(route)
  drop(netns, device, packet, reason, 'ip', route?.because)
  if (!router) return
  switch (route?.type) {
    case undefined:
      return icmpError(netns, packet, NET_UNREACHABLE, 0)
    case 'unreachable':
      return icmpError(netns, packet, HOST_UNREACHABLE, 0)
    case 'prohibit':
      return icmpError(netns, packet, PROHIBITED, 0)
  }
}

/** Why a packet ends at a route of a type that drops. */
export function dropReasonOf(route: RouteEntry): DropReason {
  switch (route.type) {
    case 'blackhole':
      return 'ROUTE_BLACKHOLE'
    case 'unreachable':
      return 'ROUTE_UNREACHABLE'
    case 'prohibit':
      return 'ROUTE_PROHIBIT'
    default:
      return 'NO_ROUTE'
  }
}
