import { type Ip, ipFromBytes } from '@podfabric/netaddr'
import { etherTypes, ipProtocols, setU16At, setU32At, u16At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { pushEthernet } from './frame.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { failDad } from './ipv6-address.ts'
import { pushIpv6 } from './ipv6-output.ts'
import { ownOn } from './ipv6-routing.ts'
import type { NeighborEntry } from './neighbor-entry.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'
import { transportChecksum } from './transport-checksum.ts'

// Neighbor discovery, RFC 4861: type 1, code 1, checksum 2, flags 4, target 16, options
const SOLICITATION = 135
const ADVERTISEMENT = 136
const MESSAGE = 24
const OPTION = 8
const SOURCE_LINK_LAYER = 1
const TARGET_LINK_LAYER = 2
const ROUTER = 0x80
const SOLICITED = 0x40
const OVERRIDE = 0x20
const HOP_LIMIT = 255
const UNSPECIFIED = new Uint8Array(16)
const ALL_NODES = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)

/** Asks the link who has the neighbor's address; `unicast` asks only whom it was last time. */
export function ndSolicit(
  device: Device,
  entry: NeighborEntry,
  cause: Packet | undefined,
  unicast: boolean,
): void {
  const source = sourceOf(device, cause, entry.octets)
  if (source === undefined) return
  const packet = message(device, SOLICITATION, 0, entry.octets, SOURCE_LINK_LAYER)
  if (cause !== undefined) packet.cause = cause.id
  if (unicast) sendTo(device, packet, source, entry.octets, entry.macHigh, entry.macLow)
  else sendToGroup(device, packet, source, solicitedNode(entry.octets))
}

/**
 * The packet's own source where the link has it, else the link-local address. Linux asks nobody while that one is
 * tentative; here another address of the link stands in for it, so that a network works from its first moment on.
 */
function sourceOf(device: Device, cause: Packet | undefined, target: Uint8Array): Uint8Array | undefined {
  if (cause !== undefined) {
    const own = ownOn(device, cause.bytes, cause.start + 8)
    if (own !== undefined && !own.tentative) return own.octets
  }
  const near = device.addresses6.find(({ scope, tentative }) => scope === 'link' && !tentative)
  return near?.octets ?? device.netns.ipv6.selectSource(device, target)
}

/** Asks whether anybody has an address that this link wants (RFC 4862 section 5.4.2). */
export function dadSolicit(device: Device, target: Uint8Array): void {
  sendToGroup(device, message(device, SOLICITATION, 0, target, 0), UNSPECIFIED, solicitedNode(target))
}

function solicitedNode(target: Uint8Array): Uint8Array {
  const group = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0)
  group.set(target.subarray(13), 13)
  return group
}

function message(device: Device, type: number, flags: number, target: Uint8Array, option: number): Packet {
  const packet = device.simulation.packet(MESSAGE + (option === 0 ? 0 : OPTION))
  const { bytes, start } = packet
  bytes[start] = type
  bytes[start + 4] = flags
  bytes.set(target, start + 8)
  if (option === 0) return packet
  bytes[start + MESSAGE] = option
  bytes[start + MESSAGE + 1] = 1
  setU16At(bytes, start + MESSAGE + 2, device.macHigh)
  setU32At(bytes, start + MESSAGE + 4, device.macLow)
  return packet
}

function sendToGroup(device: Device, packet: Packet, source: Uint8Array, group: Uint8Array): void {
  sendTo(device, packet, source, group, 0x3333, i32At(group, 12))
}

function sendTo(
  device: Device,
  packet: Packet,
  source: Uint8Array,
  to: Uint8Array,
  high: number,
  low: number,
): void {
  const { bytes, start, end } = packet
  bytes.set(source, start - 32)
  bytes.set(to, start - 16)
  setU16At(bytes, start + 2, transportChecksum(bytes, start, end, start - 32, 6, ipProtocols.icmpv6))
  pushIpv6(packet, source, to, ipProtocols.icmpv6, HOP_LIMIT)
  pushEthernet(packet, high, low, device, etherTypes.ipv6)
  if (device.simulation.tracing) hop(device.netns, device, packet, 'send', 'SENT', NOTHING, 'ethernet')
  device.transmit(packet)
}

/** A solicitation or an advertisement; its ICMPv6 header is at `at`, and its checksum was right. */
export function ndInput(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, start, end } = packet
  const target = at + 8
  if (bytes[start + 7] !== HOP_LIMIT || bytes[at + 1] !== 0 || end - at < MESSAGE || bytes[target] === 0xff) {
    return drop(netns, device, packet, 'MALFORMED', 'ip')
  }
  const type = bytes[at]
  const option = findOption(
    bytes,
    at + MESSAGE,
    end,
    type === SOLICITATION ? SOURCE_LINK_LAYER : TARGET_LINK_LAYER,
  )
  if (option < -1) return drop(netns, device, packet, 'MALFORMED', 'ip')
  if (type === SOLICITATION) solicited(netns, device, packet, target, option)
  else advertised(netns, device, packet, at, option)
}

/** Where the MAC address of an option is; -1 where there is no such option, -2 where the options do not fit. */
function findOption(bytes: Uint8Array, from: number, end: number, wanted: number): number {
  let found = -1
  for (let at = from; at < end; ) {
    const length = at + 1 < end ? 8 * (bytes[at + 1] as number) : 0
    if (length === 0 || at + length > end) return -2
    if (bytes[at] === wanted && length === OPTION) found = at + 2
    at += length
  }
  return found
}

function solicited(
  netns: NetworkNamespace,
  device: Device,
  packet: Packet,
  target: number,
  option: number,
): void {
  const { bytes, start } = packet
  const probing = isZero(bytes, start + 8)
  const own = ownOn(device, bytes, target)
  const wanted = ipFromBytes(bytes, target, 6)
  if (own?.tentative) {
    // Two links want the same address at once: neither gets it. Others must not be answered yet.
    if (probing) failDad(own)
    return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
  }
  if (own === undefined && !answersAsProxy(netns, device, wanted)) {
    return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
  }
  if (netns.simulation.tracing) {
    hop(
      netns,
      device,
      packet,
      'deliver',
      'ANSWERED',
      { address: wanted, why: own ? 'own address' : 'proxy entry' },
      'ip',
    )
  }
  const router = netns.sysctls.forwarding6 ? ROUTER : 0
  const octets = bytes.slice(target, target + 16)
  if (probing) {
    const reply = message(device, ADVERTISEMENT, router | OVERRIDE, octets, TARGET_LINK_LAYER)
    reply.cause = packet.id
    return sendToGroup(
      device,
      reply,
      own?.octets ?? netns.ipv6.selectSource(device, octets) ?? octets,
      ALL_NODES,
    )
  }
  const asker = bytes.slice(start + 8, start + 24)
  const entry = device.neighbors6.ensureOctets(asker)
  if (option >= 0) device.neighbors6.update(entry, u16At(bytes, option), i32At(bytes, option + 2), 'stale')
  if (!entry.hasMac) return drop(netns, device, packet, 'NEIGHBOR_FAILED', 'ip')
  const override = own === undefined ? 0 : OVERRIDE
  const reply = message(device, ADVERTISEMENT, router | SOLICITED | override, octets, TARGET_LINK_LAYER)
  reply.cause = packet.id
  const source = own?.octets ?? netns.ipv6.selectSource(device, asker)
  if (source === undefined) return
  const answer = (): void => sendTo(device, reply, source, asker, entry.macHigh, entry.macLow)
  const delay = own === undefined ? netns.sysctls.proxyDelay(device, 6) : 0
  if (delay === 0) answer()
  else device.simulation.after(Math.floor(device.simulation.random() * delay) * 10, answer)
}

function answersAsProxy(netns: NetworkNamespace, device: Device, target: Ip): boolean {
  const { sysctls } = netns
  const on = sysctls.allIpv6('proxy_ndp') !== 0 || sysctls.ipv6(device, 'proxy_ndp') !== 0
  return on && sysctls.forwarding6 && device.neighbors6.proxies.has(target)
}

function advertised(
  netns: NetworkNamespace,
  device: Device,
  packet: Packet,
  at: number,
  option: number,
): void {
  const { bytes } = packet
  const target = at + 8
  const flags = bytes[at + 4] as number
  if (packet.group && (flags & SOLICITED) !== 0) return drop(netns, device, packet, 'MALFORMED', 'ip')
  const own = ownOn(device, bytes, target)
  if (own !== undefined) {
    if (own.tentative) failDad(own)
    return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
  }
  const entry = device.neighbors6.getOctets(bytes.subarray(target, target + 16))
  if (entry === undefined) return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
  if (netns.simulation.tracing)
    hop(netns, device, packet, 'deliver', 'ANSWERED', { neighbor: entry.address }, 'ip')
  const known = entry.hasMac && entry.state !== 'incomplete' && entry.state !== 'failed'
  if (option < 0 && !known) return
  const high = option < 0 ? entry.macHigh : u16At(bytes, option)
  const low = option < 0 ? entry.macLow : i32At(bytes, option + 2)
  const other = known && (high !== entry.macHigh || low !== entry.macLow)
  if (other && (flags & OVERRIDE) === 0) {
    // RFC 4861 section 7.2.5 I: the address stays, but is no longer trusted.
    return device.neighbors6.distrust(entry)
  }
  device.neighbors6.update(entry, high, low, (flags & SOLICITED) !== 0 ? 'reachable' : 'stale')
}

function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) if (bytes[at + i] !== 0) return false
  return true
}
