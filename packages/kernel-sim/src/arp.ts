import { type Ipv4, ipv4FromNumber } from '@podfabric/netaddr'
import { ARP_REPLY, ARP_REQUEST, etherTypes, setU16At, setU32At, u16At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { ETHERNET, pushEthernet } from './frame.ts'
import { drop, hop, NOTHING } from './hops.ts'
import type { NeighborEntry } from './neighbor-entry.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'

// ARP for IPv4 over Ethernet, RFC 826: offsets from the ARP header
//   0 hardware 2 protocol 4 sizes 6 operation 8 sender MAC 14 sender IP 18 target MAC 24 target IP
const LENGTH = 28
const BROADCAST_HIGH = 0xffff
const BROADCAST_LOW = -1

/** Asks the link who has the neighbor's address; `unicast` asks only whom it was last time. */
export function arpSolicit(
  device: Device,
  entry: NeighborEntry,
  cause: Packet | undefined,
  unicast: boolean,
): void {
  const target = i32At(entry.octets, 0)
  const source = senderAddress(device, cause, target)
  const packet = arpPacket(device, ARP_REQUEST, source, 0, 0, target)
  if (cause !== undefined) packet.cause = cause.id
  if (unicast) pushEthernet(packet, entry.macHigh, entry.macLow, device, etherTypes.arp)
  else pushEthernet(packet, BROADCAST_HIGH, BROADCAST_LOW, device, etherTypes.arp)
  sendOut(device, packet)
}

/** The packet's own source where it is ours, else an address of the link (arp_announce 0). */
function senderAddress(device: Device, cause: Packet | undefined, target: number): number {
  const { ipv4 } = device.netns
  if (cause !== undefined) {
    const source = i32At(cause.bytes, cause.start + 12)
    if (ipv4.isLocal(source)) return source
  }
  return ipv4.selectSource(device, target, true)
}

function arpPacket(
  device: Device,
  operation: number,
  senderIp: number,
  targetHigh: number,
  targetLow: number,
  targetIp: number,
): Packet {
  const packet = device.simulation.packet(LENGTH)
  const { bytes, start } = packet
  setU16At(bytes, start, 1)
  setU16At(bytes, start + 2, etherTypes.ipv4)
  setU16At(bytes, start + 4, 0x0604)
  setU16At(bytes, start + 6, operation)
  setU16At(bytes, start + 8, device.macHigh)
  setU32At(bytes, start + 10, device.macLow)
  setU32At(bytes, start + 14, senderIp)
  setU16At(bytes, start + 18, targetHigh)
  setU32At(bytes, start + 20, targetLow)
  setU32At(bytes, start + 24, targetIp)
  return packet
}

function sendOut(device: Device, packet: Packet): void {
  if (device.simulation.tracing) hop(device.netns, device, packet, 'send', 'SENT', NOTHING, 'ethernet')
  device.transmit(packet)
}

/** An ARP message arrived; `packet.start` is at the Ethernet header. */
export function arpInput(device: Device, packet: Packet): void {
  const { bytes } = packet
  const { netns } = device
  const at = packet.start + ETHERNET
  if (
    packet.end < at + LENGTH ||
    u16At(bytes, at) !== 1 ||
    u16At(bytes, at + 2) !== etherTypes.ipv4 ||
    u16At(bytes, at + 4) !== 0x0604
  ) {
    return drop(netns, device, packet, 'MALFORMED', 'ethernet')
  }
  const operation = u16At(bytes, at + 6)
  if (operation !== ARP_REQUEST && operation !== ARP_REPLY) {
    return drop(netns, device, packet, 'UNKNOWN_PROTOCOL', 'ethernet')
  }
  const senderHigh = u16At(bytes, at + 8)
  const senderLow = i32At(bytes, at + 10)
  const senderIp = i32At(bytes, at + 14)
  const targetIp = i32At(bytes, at + 24)
  const { ipv4 } = netns
  if (ipv4.isMartianTarget(targetIp)) return drop(netns, device, packet, 'SOURCE_INVALID', 'ethernet')
  if (operation === ARP_REQUEST && senderIp === 0) {
    // Duplicate address detection, RFC 5227: nothing is learned from a probe.
    if (!ipv4.isLocal(targetIp) || isIgnored(device, targetIp, senderIp))
      return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ethernet')
    return answer(device, packet, senderHigh, senderLow, targetIp, senderIp, 'own address')
  }
  if (operation === ARP_REQUEST) {
    if (ipv4.isLocal(targetIp) && isIgnored(device, targetIp, senderIp)) {
      return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ethernet')
    }
    const why = answersFor(device, targetIp, senderIp)
    if (why !== undefined) {
      device.neighbors4.update(device.neighbors4.ensure4(senderIp), senderHigh, senderLow, 'stale')
      return answer(device, packet, senderHigh, senderLow, targetIp, senderIp, why)
    }
  }
  // What is known already is brought up to date; nothing new is learned from what was not asked for.
  const known = device.neighbors4.get4(senderIp)
  if (known === undefined) return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ethernet')
  if (device.simulation.tracing) {
    hop(netns, device, packet, 'deliver', 'ANSWERED', { neighbor: known.address }, 'ethernet')
  }
  const state = operation === ARP_REPLY && !packet.group ? 'reachable' : 'stale'
  device.neighbors4.update(known, senderHigh, senderLow, state)
}

/** Why a request is answered; undefined where it is not. */
function answersFor(device: Device, target: number, sender: number): string | undefined {
  const { ipv4, sysctls } = device.netns
  const route = ipv4.input(target, sender, 0, device)
  if (route?.type === 'local') return 'own address'
  if (route?.type !== 'unicast' || !device.forwarding4) return undefined
  if (route.device === device) return undefined
  if (sysctls.either4(device, 'proxy_arp')) return 'proxy_arp'
  return device.neighbors4.proxies.has(ipv4FromNumber(target)) ? 'proxy entry' : undefined
}

/** arp_ignore: whether an own address is not told on this link. 0: every one is. */
function isIgnored(device: Device, target: number, sender: number): boolean {
  const { sysctls } = device.netns
  const onLink = (near: boolean): boolean =>
    device.addresses4.some(
      ({ number, mask }) => number === target && (!near || ((number ^ sender) & mask) === 0),
    )
  switch (sysctls.larger4(device, 'arp_ignore')) {
    case 1:
      return !onLink(false)
    case 2:
      return !onLink(true)
    case 3:
      return !device.netns
        .links()
        .some(({ addresses4 }) =>
          addresses4.some(({ number, scope }) => number === target && scope !== 'host'),
        )
    case 8:
      return true
    default:
      return false
  }
}

function answer(
  device: Device,
  request: Packet,
  high: number,
  low: number,
  own: number,
  asker: number,
  why: string,
): void {
  if (device.simulation.tracing) {
    hop(device.netns, device, request, 'deliver', 'ANSWERED', { address: text(own), why }, 'ethernet')
  }
  const reply = arpPacket(device, ARP_REPLY, own, high, low, asker)
  reply.cause = request.id
  pushEthernet(reply, high, low, device, etherTypes.arp)
  const delay = why === 'own address' ? 0 : proxyDelay(device)
  if (delay === 0) sendOut(device, reply)
  else device.simulation.after(delay, () => sendOut(device, reply))
}

/** Proxies answer a little later than the owner would: a random part of `proxy_delay`, in hundredths of a second. */
function proxyDelay(device: Device): number {
  const most = device.netns.sysctls.proxyDelay(device, 4)
  return Math.floor(device.simulation.random() * most) * 10
}

function text(address: number): Ipv4 {
  return ipv4FromNumber(address)
}
