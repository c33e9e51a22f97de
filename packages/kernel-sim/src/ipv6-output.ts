import { etherTypes, setU16At, setU32At, u32At } from '@podfabric/wire'
import { pushEthernet } from './frame.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { icmpv6Error, V6_PACKET_TOO_BIG } from './icmpv6.ts'
import { dropReasonOf } from './ipv4-no-route.ts'
import { leads, outOf } from './ipv4-output.ts'
import { fragment6 } from './ipv6-fragment.ts'
import { CHANGED, DROPPED, hook, isHooked } from './netfilter-hook.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'
import type { RouteEntry } from './route-entry.ts'

const HEADER = 40
const destination = new Uint32Array(4)

/** Puts an IPv6 header before the packet. Addresses are sixteen octets. */
export function pushIpv6(
  packet: Packet,
  source: Uint8Array,
  to: Uint8Array,
  nextHeader: number,
  hopLimit: number,
): void {
  const payload = packet.length
  packet.reserve(HEADER)
  packet.start -= HEADER
  packet.family = 6
  const { bytes, start } = packet
  setU32At(bytes, start, 0x6000_0000)
  setU16At(bytes, start + 4, payload)
  bytes[start + 6] = nextHeader
  bytes[start + 7] = hopLimit
  bytes.set(source, start + 8)
  bytes.set(to, start + 24)
}

/** Sends a packet that a socket or the kernel itself made; it has its IP header. */
export function ipv6Send(
  netns: NetworkNamespace,
  packet: Packet,
  route: RouteEntry,
  dontFragment: boolean,
): void {
  if (netns.simulation.tracing) hop(netns, undefined, packet, 'send', 'SENT', NOTHING, 'ip')
  ipv6Output(netns, packet, route, dontFragment)
}

/** Lets a packet out by the route that was found for it, as `ipv4Output`. */
export function ipv6Output(
  netns: NetworkNamespace,
  packet: Packet,
  route: RouteEntry,
  dontFragment: boolean,
): void {
  const { simulation } = netns
  let taken = route
  if (simulation.tracing) hop(netns, outOf(netns, route), packet, 'route', 'ROUTE', route.because, 'ip')
  if (isHooked(netns, 'output', 6)) {
    const mark = packet.mark
    const verdict = hook(netns, 'output', packet, undefined, outOf(netns, route))
    if (verdict === DROPPED) return
    if (verdict === CHANGED || packet.mark !== mark) {
      const { bytes, start } = packet
      const again = netns.ipv6.output(
        wordsAt(packet),
        bytes.subarray(start + 8, start + 24),
        packet.mark,
        undefined,
      )
      if (again === undefined || !leads(again)) {
        return drop(netns, undefined, packet, again ? dropReasonOf(again) : 'NO_ROUTE', 'ip', again?.because)
      }
      taken = again
      if (simulation.tracing) hop(netns, outOf(netns, taken), packet, 'route', 'ROUTE', taken.because, 'ip')
    }
  }
  ipv6Leave(netns, packet, taken, netns.ipv6.mtuTo(wordsAt(packet), taken), dontFragment)
}

function wordsAt({ bytes, start }: Packet): Uint32Array {
  for (let w = 0; w < 4; w++) destination[w] = u32At(bytes, start + 24 + 4 * w)
  return destination
}

/** The last steps of every packet: postrouting rules, fragments where its source may make them, the neighbor. */
export function ipv6Leave(
  netns: NetworkNamespace,
  packet: Packet,
  route: RouteEntry,
  mtu: number,
  dontFragment: boolean,
): void {
  const out = outOf(netns, route)
  if (isHooked(netns, 'postrouting', 6)) {
    if (hook(netns, 'postrouting', packet, packet.input, out) === DROPPED) return
  }
  if (packet.length <= mtu) return toNeighbor(netns, packet, route)
  if (dontFragment) {
    drop(netns, out, packet, 'TOO_BIG', 'ip', { mtu })
    return icmpv6Error(netns, packet, V6_PACKET_TOO_BIG, mtu)
  }
  for (const piece of fragment6(packet, mtu, netns.nextFragment6())) toNeighbor(netns, piece, route)
}

function toNeighbor(netns: NetworkNamespace, packet: Packet, route: RouteEntry): void {
  const out = outOf(netns, route)
  const { bytes, start } = packet
  if (out.kind === 'loopback') {
    pushEthernet(packet, out.macHigh, out.macLow, out, etherTypes.ipv6)
    return out.transmit(packet)
  }
  if (bytes[start + 24] === 0xff) {
    pushEthernet(packet, 0x3333, i32At(bytes, start + 36), out, etherTypes.ipv6)
    return out.transmit(packet)
  }
  if (!route.hasGateway) return out.neighbors6.send(out.neighbors6.ensure6(wordsAt(packet)), packet)
  const known = route.neighbor
  const entry = known === undefined || known.gone ? out.neighbors6.ensure6(route.gateway6) : known
  route.neighbor = entry
  out.neighbors6.send(entry, packet)
}
