import { KernelError } from '@podfabric/kernel'
import {
  type Ip,
  type Ipv4,
  type Ipv6,
  ipFromBytes,
  ipToBytes,
  ipv4ToNumber,
  ipv6ToWords,
  isLimitedBroadcast,
  isUnspecified,
  isV4,
  LOOPBACK_IPV4,
  LOOPBACK_IPV6,
} from '@podfabric/netaddr'
import { ipv4Send, leads, pushIpv4 } from './ipv4-output.ts'
import { ipv6Send, pushIpv6 } from './ipv6-output.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import type { RouteEntry } from './route-entry.ts'
import { routeError } from './route-error.ts'

/** A way to a destination, found before anything is sent, so that its transport header knows the addresses. */
export interface Way {
  readonly family: 4 | 6
  readonly route: RouteEntry
  /** In network order. */
  readonly source: Uint8Array
  readonly destination: Uint8Array
  /** Octets that a packet may have. */
  readonly mtu: number
}

const unspecified = { 4: new Uint8Array(4), 6: new Uint8Array(16) }

/**
 * The way from this namespace to a destination, from `source` where it is given. Throws the errno of a route that
 * is missing or drops, EACCES for a broadcast address, and EINVAL where a source of 127.0.0.0/8 would leave. The
 * unspecified address leads to the source, or to loopback.
 */
export function wayTo(
  netns: NetworkNamespace,
  destination: Ip,
  source: Uint8Array | undefined,
  operation: string,
): Way {
  if (isV4(destination)) {
    const to = isUnspecified(destination) ? ((source && ipFromBytes(source)) ?? LOOPBACK_IPV4) : destination
    return way4(netns, to as Ipv4, source, operation)
  }
  const to = isUnspecified(destination) ? LOOPBACK_IPV6 : destination
  return way6(netns, to as Ipv6, source, operation)
}

function way4(
  netns: NetworkNamespace,
  destination: Ipv4,
  given: Uint8Array | undefined,
  operation: string,
): Way {
  const { ipv4 } = netns
  const to = ipv4ToNumber(destination) | 0
  const from = given === undefined ? 0 : new DataView(given.buffer, given.byteOffset).getInt32(0)
  const route = ipv4.output(to, from, 0, undefined)
  if (route === undefined || !leads(route)) throw routeError(route, operation)
  if (route.type === 'broadcast' || isLimitedBroadcast(destination))
    throw new KernelError('EACCES', operation, `${destination} is a broadcast address`)
  if (from >>> 24 === 127 && isMartianSource(netns, route))
    throw new KernelError('EINVAL', operation, 'an address of loopback does not leave')
  const source = given ?? bytes4(ipv4.sourceFor(route, to))
  return { family: 4, route, source, destination: bytes4(to), mtu: ipv4.mtuTo(to, route) }
}

function way6(
  netns: NetworkNamespace,
  destination: Ipv6,
  given: Uint8Array | undefined,
  operation: string,
): Way {
  const { ipv6 } = netns
  const to = new Uint32Array(4)
  ipv6ToWords(destination, to)
  const octets = ipToBytes(destination)
  const route = ipv6.output(to, given ?? unspecified[6], 0, undefined)
  if (route === undefined || !leads(route)) throw routeError(route, operation)
  const source = given ?? ipv6.sourceFor(route, octets)
  if (source === undefined)
    throw new KernelError('EADDRNOTAVAIL', operation, 'no address here can be its source')
  return { family: 6, route, source, destination: octets, mtu: ipv6.mtuTo(to, route) }
}

function isMartianSource(netns: NetworkNamespace, { type, device }: RouteEntry): boolean {
  return type !== 'local' && device !== undefined && !netns.sysctls.either4(device, 'route_localnet')
}

function bytes4(address: number): Uint8Array {
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
}

/** Sends a packet whose `start` is at its transport header along a way. */
export function sendAlong(
  netns: NetworkNamespace,
  way: Way,
  packet: Packet,
  header: { readonly protocol: number; readonly ttl: number; readonly dontFragment: boolean },
): void {
  if (way.family === 6) {
    pushIpv6(packet, way.source, way.destination, header.protocol, header.ttl)
    ipv6Send(netns, packet, way.route, header.dontFragment)
    return
  }
  pushIpv4(netns, packet, { ...header, source: number4(way.source), destination: number4(way.destination) })
  ipv4Send(netns, packet, way.route)
}

function number4(octets: Uint8Array): number {
  return new DataView(octets.buffer, octets.byteOffset).getInt32(0)
}

/** EINVAL for a time to live that no socket takes: 1 to 255, for IPv6 also 0. */
export function checkTtl(ttl: number, family: 4 | 6, operation: string): void {
  if (Number.isInteger(ttl) && ttl >= (family === 4 ? 1 : 0) && ttl <= 255) return
  throw new KernelError('EINVAL', operation, `${ttl} is no time to live`)
}

/** Whether an address may be bound to: one of this namespace, and usable. */
export function isBindable(netns: NetworkNamespace, address: Ip): boolean {
  if (isV4(address)) {
    return netns.sysctls.flag('net.ipv4.ip_nonlocal_bind') || netns.ipv4.isLocal(ipv4ToNumber(address) | 0)
  }
  return netns.sysctls.flag('net.ipv6.ip_nonlocal_bind') || netns.ipv6.isUsable(ipToBytes(address))
}

/** The address at `at` of an IP packet as text. */
export function addressAt(packet: Packet, which: 'source' | 'destination'): Ip {
  const { bytes, start, family } = packet
  if (family === 4) return ipFromBytes(bytes, start + (which === 'source' ? 12 : 16), 4)
  return ipFromBytes(bytes, start + (which === 'source' ? 8 : 24), 6)
}
