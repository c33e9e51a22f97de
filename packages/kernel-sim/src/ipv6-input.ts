import { ipProtocols, u16At, u32At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop, hop } from './hops.ts'
import {
  icmpv6Error,
  icmpv6Input,
  V6_NO_ROUTE,
  V6_PACKET_TOO_BIG,
  V6_PROHIBITED,
  V6_TIME_EXCEEDED,
  V6_UNKNOWN_NEXT_HEADER,
} from './icmpv6.ts'
import { tcpInputAt } from './ip-tcp.ts'
import { dropReasonOf } from './ipv4-no-route.ts'
import { hasIpv6 } from './ipv6-autoconf.ts'
import { locateTransport6, placeOf, protocolOf } from './ipv6-extensions.ts'
import { ipv6Leave } from './ipv6-output.ts'
import { isLinkLocalAt, ownOn } from './ipv6-routing.ts'
import { passes } from './netfilter-hook.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import type { RouteEntry } from './route-entry.ts'
import { udpInputAt } from './udp.ts'

const HEADER = 40
const destination = new Uint32Array(4)

/** An IPv6 packet came in by a link; `packet.start` is at its header. */
export function ipv6Input(device: Device, packet: Packet): void {
  const { netns } = device
  const { bytes, start } = packet
  if (!hasIpv6(device)) {
    return drop(netns, device, packet, 'UNKNOWN_PROTOCOL', 'ip')
  }
  if (packet.length < HEADER || (bytes[start] as number) >>> 4 !== 6) {
    return drop(netns, device, packet, 'MALFORMED', 'ip')
  }
  const total = HEADER + u16At(bytes, start + 4)
  if (total > packet.length) return drop(netns, device, packet, 'MALFORMED', 'ip')
  packet.end = start + total
  packet.family = 6
  packet.input = device
  const located = locateTransport6(bytes, start, packet.end)
  if (located < 0) return drop(netns, device, packet, 'MALFORMED', 'ip')
  if (protocolOf(located) === ipProtocols.fragment && netns.tracking6) {
    const whole = netns.reassembly.add6(packet)
    if (whole !== undefined) beforeRouting(netns, device, whole)
    return
  }
  beforeRouting(netns, device, packet)
}

function beforeRouting(netns: NetworkNamespace, device: Device, packet: Packet): void {
  if (packet.prerouted || passes(netns, 'prerouting', packet, device, undefined)) {
    ipv6Route(netns, device, packet)
  }
}

/** Where does a packet go that came in by a link? */
export function ipv6Route(netns: NetworkNamespace, device: Device, packet: Packet): void {
  const { bytes, start } = packet
  const { ipv6, simulation } = netns
  const problem = ipv6.sourceProblem(device, bytes, start + 8)
  if (problem !== undefined) return drop(netns, device, packet, problem, 'ip')
  const to = start + 24
  if (bytes[to] === 0xff) {
    if (!hasJoined(netns, device, bytes, to)) return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
    return deliver(netns, device, packet)
  }
  if (isLinkLocalAt(bytes, to) && device.kind !== 'loopback') {
    if (ownOn(device, bytes, to)?.tentative !== false) {
      return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
    }
    return deliver(netns, device, packet)
  }
  for (let w = 0; w < 4; w++) destination[w] = u32At(bytes, to + 4 * w)
  const route = ipv6.input(destination, bytes.subarray(start + 8, start + 24), packet.mark, device)
  if (route === undefined) return noRoute(netns, device, packet, undefined)
  if (simulation.tracing) {
    hop(
      netns,
      device,
      packet,
      'route',
      route.type === 'local' ? 'LOCAL_ADDRESS' : 'ROUTE',
      route.because,
      'ip',
    )
  }
  switch (route.type) {
    case 'local':
    case 'anycast':
      return deliver(netns, device, packet)
    case 'unicast':
      return forward(netns, device, packet, route)
    default:
      return noRoute(netns, device, packet, route)
  }
}

function noRoute(
  netns: NetworkNamespace,
  device: Device,
  packet: Packet,
  route: RouteEntry | undefined,
): void {
  const router = netns.sysctls.forwarding6
  const reason = route === undefined ? (router ? 'NO_ROUTE' : 'NOT_FOR_THIS_HOST') : dropReasonOf(route)
  drop(netns, device, packet, reason, 'ip', route?.because)
  switch (route?.type) {
    case undefined:
      return icmpv6Error(netns, packet, V6_NO_ROUTE, 0)
    case 'unreachable':
      return icmpv6Error(netns, packet, V6_NO_ROUTE, 0)
    case 'prohibit':
      return icmpv6Error(netns, packet, V6_PROHIBITED, 0)
  }
}

/** All nodes, all routers where this is one, and the solicited-node groups of the link's addresses. */
function hasJoined(netns: NetworkNamespace, device: Device, bytes: Uint8Array, at: number): boolean {
  if (((bytes[at + 1] as number) & 15) > 2) return false
  const first = u32At(bytes, at + 8)
  const last = u32At(bytes, at + 12)
  if (u32At(bytes, at + 4) !== 0) return false
  if (first === 0) return last === 1 || (last === 2 && netns.sysctls.forwarding6)
  if (first !== 1 || last >>> 24 !== 0xff) return false
  const low = last & 0xff_ffff
  const isOf = (octets: Uint8Array): boolean => (u32At(octets, 12) & 0xff_ffff) === low
  if (device.addresses6.some(({ octets }) => isOf(octets))) return true
  for (const proxied of device.neighbors6.proxyOctets()) if (isOf(proxied)) return true
  return false
}

/** Routes a packet on (RFC 8200, RFC 4443), in Linux' order. */
function forward(netns: NetworkNamespace, device: Device, packet: Packet, route: RouteEntry): void {
  const { bytes, start } = packet
  const out = route.device as Device
  if (!netns.sysctls.forwarding6) return drop(netns, device, packet, 'FORWARDING_OFF', 'ip')
  if (packet.group) return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
  if ((bytes[start + 7] as number) <= 1) {
    drop(netns, device, packet, 'TTL_EXCEEDED', 'ip')
    return icmpv6Error(netns, packet, V6_TIME_EXCEEDED, 0)
  }
  if (isLinkLocalAt(bytes, start + 8)) {
    // A link-local source means nothing on another link: beyond scope of source address.
    drop(netns, device, packet, 'SOURCE_INVALID', 'ip')
    return icmpv6Error(netns, packet, 0x102, 0)
  }
  // A router goes by the link alone (ip6_dst_mtu_maybe_forward).
  const { mtu } = out
  if (packet.length > mtu) {
    drop(
      netns,
      out,
      packet,
      'TOO_BIG',
      'ip',
      netns.simulation.tracing ? { mtu, ...route.because } : undefined,
    )
    return icmpv6Error(netns, packet, V6_PACKET_TOO_BIG, mtu)
  }
  bytes[start + 7] = (bytes[start + 7] as number) - 1
  if (!passes(netns, 'forward', packet, device, out)) return
  ipv6Leave(netns, packet, route, mtu, true)
}

function deliver(netns: NetworkNamespace, device: Device, packet: Packet): void {
  const located = locateTransport6(packet.bytes, packet.start, packet.end)
  if (protocolOf(located) !== ipProtocols.fragment) return deliverWhole(netns, device, packet, located)
  const whole = netns.reassembly.add6(packet)
  if (whole === undefined) return
  deliverWhole(netns, device, whole, locateTransport6(whole.bytes, whole.start, whole.end))
}

function deliverWhole(netns: NetworkNamespace, device: Device, packet: Packet, located: number): void {
  if (located < 0) return drop(netns, device, packet, 'MALFORMED', 'ip')
  if (!passes(netns, 'input', packet, device, undefined)) return
  const at = placeOf(located)
  switch (protocolOf(located)) {
    case ipProtocols.udp:
      return udpInputAt(netns, device, packet, at)
    case ipProtocols.tcp:
      return tcpInputAt(netns, device, packet, at)
    case ipProtocols.icmpv6:
      return icmpv6Input(netns, device, packet, at)
    default:
      drop(netns, device, packet, 'UNKNOWN_PROTOCOL', 'ip')
      return icmpv6Error(netns, packet, V6_UNKNOWN_NEXT_HEADER, at - packet.start)
  }
}
