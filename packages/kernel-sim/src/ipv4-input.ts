import { ipv4FromNumber } from '@podfabric/netaddr'
import { ipProtocols, ipv4HeaderLengthAt, ipv4IsFragmentAt, u16At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop, hop } from './hops.ts'
import { icmpError, icmpInput, PROTOCOL_UNREACHABLE } from './icmp.ts'
import { tcpInput4 } from './ip-tcp.ts'
import { ipv4Forward } from './ipv4-forward.ts'
import { ipv4NoRoute } from './ipv4-no-route.ts'
import { passes } from './netfilter-hook.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At, ipv4HeaderHolds } from './octets.ts'
import type { Packet } from './packet.ts'
import { udpInput } from './udp.ts'

/** An IPv4 packet came in by a link; `packet.start` is at its header, what follows it may be padding. */
export function ipv4Input(device: Device, packet: Packet): void {
  const { netns } = device
  const { bytes, start } = packet
  const length = packet.length
  if (length < 20 || (bytes[start] as number) >>> 4 !== 4)
    return drop(netns, device, packet, 'MALFORMED', 'ip')
  const headerLength = ipv4HeaderLengthAt(bytes, start)
  const total = u16At(bytes, start + 2)
  if (headerLength < 20 || total < headerLength || total > length) {
    return drop(netns, device, packet, 'MALFORMED', 'ip')
  }
  if (!ipv4HeaderHolds(bytes, start, headerLength)) {
    return drop(netns, device, packet, 'BAD_CHECKSUM', 'ip')
  }
  packet.end = start + total
  packet.family = 4
  packet.input = device
  if (netns.tracking4 && ipv4IsFragmentAt(bytes, start)) {
    const whole = netns.reassembly.add4(packet)
    if (whole === undefined) return
    return beforeRouting(netns, device, whole)
  }
  beforeRouting(netns, device, packet)
}

function beforeRouting(netns: NetworkNamespace, device: Device, packet: Packet): void {
  if (packet.prerouted || passes(netns, 'prerouting', packet, device, undefined)) {
    ipv4Route(netns, device, packet)
  }
}

/** Where does a packet go that came in by a link? */
export function ipv4Route(netns: NetworkNamespace, device: Device, packet: Packet): void {
  const { bytes, start } = packet
  const source = i32At(bytes, start + 12)
  const destination = i32At(bytes, start + 16)
  const { ipv4 } = netns
  const problem = ipv4.sourceProblem(device, source, destination)
  if (problem !== undefined) {
    if (netns.simulation.tracing) {
      drop(netns, device, packet, problem, 'ip', { source: ipv4FromNumber(source) })
    }
    return
  }
  if (destination === -1) return ipv4Deliver(netns, device, packet)
  const route = ipv4.input(destination, source, packet.mark, device)
  if (route === undefined) return ipv4NoRoute(netns, device, packet, undefined)
  if (netns.simulation.tracing) {
    const reason = route.type === 'local' ? 'LOCAL_ADDRESS' : 'ROUTE'
    hop(netns, device, packet, 'route', reason, route.because, 'ip')
  }
  switch (route.type) {
    case 'local':
    case 'broadcast':
      return ipv4Deliver(netns, device, packet)
    case 'unicast':
      return ipv4Forward(netns, device, packet, route)
    default:
      return ipv4NoRoute(netns, device, packet, route)
  }
}

/** A packet for this namespace: put together where it is a fragment, filtered, handed to its protocol. */
function ipv4Deliver(netns: NetworkNamespace, device: Device, packet: Packet): void {
  if (ipv4IsFragmentAt(packet.bytes, packet.start)) {
    const whole = netns.reassembly.add4(packet)
    if (whole !== undefined) deliverWhole(netns, device, whole)
    return
  }
  deliverWhole(netns, device, packet)
}

function deliverWhole(netns: NetworkNamespace, device: Device, packet: Packet): void {
  if (!passes(netns, 'input', packet, device, undefined)) return
  switch (packet.bytes[packet.start + 9]) {
    case ipProtocols.udp:
      return udpInput(netns, device, packet)
    case ipProtocols.tcp:
      return tcpInput4(netns, device, packet)
    case ipProtocols.icmp:
      return icmpInput(netns, device, packet)
    default:
      drop(netns, device, packet, 'UNKNOWN_PROTOCOL', 'ip')
      return icmpError(netns, packet, PROTOCOL_UNREACHABLE, 0)
  }
}
