import {
  etherTypes,
  internetChecksum,
  ipv4DontFragmentAt,
  ipv4HeaderLengthAt,
  setU16At,
  setU32At,
} from '@podfabric/wire'
import type { Device } from './device.ts'
import { pushEthernet } from './frame.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { FRAGMENTATION_NEEDED, icmpError } from './icmp.ts'
import { fragment4 } from './ipv4-fragment.ts'
import { dropReasonOf } from './ipv4-no-route.ts'
import { CHANGED, DROPPED, hook, isHooked } from './netfilter-hook.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'
import type { RouteEntry } from './route-entry.ts'

const HEADER = 20

/** What the caller decides of a header. Addresses are signed numbers. */
export interface Ipv4Send {
  source: number
  destination: number
  protocol: number
  ttl: number
  dontFragment: boolean
}

/** Puts an IPv4 header before the packet. */
export function pushIpv4(netns: NetworkNamespace, packet: Packet, send: Ipv4Send): void {
  packet.reserve(HEADER)
  packet.start -= HEADER
  packet.family = 4
  const { bytes, start } = packet
  bytes[start] = 0x45
  bytes[start + 1] = 0
  setU16At(bytes, start + 2, packet.length)
  setU16At(bytes, start + 4, netns.nextIdentification())
  setU16At(bytes, start + 6, send.dontFragment ? 0x4000 : 0)
  bytes[start + 8] = send.ttl
  bytes[start + 9] = send.protocol
  setU16At(bytes, start + 10, 0)
  setU32At(bytes, start + 12, send.source)
  setU32At(bytes, start + 16, send.destination)
  setU16At(bytes, start + 10, internetChecksum(bytes, start, start + HEADER))
}

/** Sends a packet that a socket or the kernel itself made; it has its IP header. */
export function ipv4Send(netns: NetworkNamespace, packet: Packet, route: RouteEntry): void {
  if (netns.simulation.tracing) hop(netns, undefined, packet, 'send', 'SENT', NOTHING, 'ip')
  ipv4Output(netns, packet, route)
}

/**
 * Lets a packet out by the route that was found for it. Output rules may translate or mark it, and then another
 * route is looked for.
 */
export function ipv4Output(netns: NetworkNamespace, packet: Packet, route: RouteEntry): void {
  const { simulation } = netns
  let taken = route
  if (simulation.tracing) hop(netns, outOf(netns, route), packet, 'route', 'ROUTE', route.because, 'ip')
  if (isHooked(netns, 'output', 4)) {
    const mark = packet.mark
    const verdict = hook(netns, 'output', packet, undefined, outOf(netns, route))
    if (verdict === DROPPED) return
    if (verdict === CHANGED || packet.mark !== mark) {
      const { bytes, start } = packet
      const again = netns.ipv4.output(
        i32At(bytes, start + 16),
        i32At(bytes, start + 12),
        packet.mark,
        undefined,
      )
      if (again === undefined || !leads(again)) {
        return drop(netns, undefined, packet, again ? dropReasonOf(again) : 'NO_ROUTE', 'ip', again?.because)
      }
      taken = again
      if (simulation.tracing) {
        hop(netns, outOf(netns, taken), packet, 'route', 'ROUTE', taken.because, 'ip')
      }
    }
  }
  ipv4Leave(netns, packet, taken, netns.ipv4.mtuTo(i32At(packet.bytes, packet.start + 16), taken))
}

/** Whether a route of this type leads anywhere. */
export function leads({ type }: RouteEntry): boolean {
  return (
    type === 'unicast' ||
    type === 'local' ||
    type === 'broadcast' ||
    type === 'multicast' ||
    type === 'anycast'
  )
}

/** The link that a packet leaves by: what is for this namespace itself goes through `lo`. */
export function outOf(netns: NetworkNamespace, route: RouteEntry): Device {
  return route.type === 'local' || route.device === undefined ? netns.loopback : route.device
}

/** The last steps of every packet: postrouting rules, fragments where it is too big, the neighbor. */
export function ipv4Leave(netns: NetworkNamespace, packet: Packet, route: RouteEntry, mtu: number): void {
  const out = outOf(netns, route)
  if (isHooked(netns, 'postrouting', 4)) {
    if (hook(netns, 'postrouting', packet, packet.input, out) === DROPPED) return
  }
  if (packet.length <= mtu) return toNeighbor(netns, packet, route, out)
  if (ipv4DontFragmentAt(packet.bytes, packet.start)) {
    drop(netns, out, packet, 'TOO_BIG', 'ip', { mtu })
    return icmpError(netns, packet, FRAGMENTATION_NEEDED, mtu)
  }
  if (mtu < ipv4HeaderLengthAt(packet.bytes, packet.start) + 8)
    return drop(netns, out, packet, 'TOO_BIG', 'ip')
  for (const piece of fragment4(packet, mtu)) toNeighbor(netns, piece, route, out)
}

function toNeighbor(netns: NetworkNamespace, packet: Packet, route: RouteEntry, out: Device): void {
  if (out.kind === 'loopback') {
    pushEthernet(packet, out.macHigh, out.macLow, out, etherTypes.ipv4)
    return out.transmit(packet)
  }
  if (route.hasGateway) {
    const known = route.neighbor
    const entry = known === undefined || known.gone ? out.neighbors4.ensure4(route.gateway4) : known
    route.neighbor = entry
    return out.neighbors4.send(entry, packet)
  }
  const destination = i32At(packet.bytes, packet.start + 16)
  if (route.type === 'broadcast' || destination === -1) {
    toSelf(netns, packet)
    pushEthernet(packet, 0xffff, -1, out, etherTypes.ipv4)
    return out.transmit(packet)
  }
  if (destination >>> 28 === 14) {
    pushEthernet(packet, 0x0100, 0x5e00_0000 | (destination & 0x7f_ffff), out, etherTypes.ipv4)
    return out.transmit(packet)
  }
  out.neighbors4.send(out.neighbors4.ensure4(destination), packet)
}

/** A broadcast is heard by its sender's own host too. */
function toSelf(netns: NetworkNamespace, packet: Packet): void {
  if (packet.input !== undefined) return
  const copy = packet.clone()
  pushEthernet(copy, netns.loopback.macHigh, netns.loopback.macLow, netns.loopback, etherTypes.ipv4)
  netns.loopback.transmit(copy)
}
