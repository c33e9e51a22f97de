import { ipFromBytes } from '@podfabric/netaddr'
import { ipProtocols, setU16At, setU32At, u16At, u32At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { leads, outOf } from './ipv4-output.ts'
import { locateTransport6, placeOf, protocolOf } from './ipv6-extensions.ts'
import { ipv6Send, pushIpv6 } from './ipv6-output.ts'
import { isLinkLocalAt, ownOn } from './ipv6-routing.ts'
import { ndInput } from './nd.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import { transportChecksum } from './transport-checksum.ts'

// Type and code of the errors that are sent from here, RFC 4443, as (type << 8) | code.
export const V6_NO_ROUTE = 0x100
export const V6_PROHIBITED = 0x101
export const V6_UNREACHABLE = 0x103
export const V6_PORT_UNREACHABLE = 0x104
/** The rest of the header is the MTU. */
export const V6_PACKET_TOO_BIG = 0x200
export const V6_TIME_EXCEEDED = 0x300
export const V6_REASSEMBLY_TIME_EXCEEDED = 0x301
/** The rest of the header is where in the packet. */
export const V6_UNKNOWN_NEXT_HEADER = 0x401

const HEADER = 8
/** An error with its quote fits any link. */
const LARGEST = 1280
const UNREACHABLE = 1
const TOO_BIG = 2
const TIME_EXCEEDED = 3
const ECHO_REQUEST = 128
const ECHO_REPLY = 129
const SOLICITATION = 135
const ADVERTISEMENT = 136
const words = new Uint32Array(4)

/** Tells the sender of a packet what became of it, unless RFC 4443 section 2.4 forbids. */
export function icmpv6Error(
  netns: NetworkNamespace,
  packet: Packet,
  typeAndCode: number,
  rest: number,
): void {
  const { bytes, start, end } = packet
  const aboutGroup = packet.group || bytes[start + 24] === 0xff
  if (aboutGroup && typeAndCode !== V6_PACKET_TOO_BIG) return
  if (bytes[start + 8] === 0xff || isUnspecifiedAt(bytes, start + 8)) return
  const located = locateTransport6(bytes, start, end)
  if (located >= 0 && protocolOf(located) === ipProtocols.icmpv6 && (bytes[placeOf(located)] ?? 255) < 128)
    return
  const quote = Math.min(packet.length, LARGEST - 40 - HEADER)
  const error = netns.simulation.packet(HEADER + quote)
  error.cause = packet.id
  const at = error.start
  setU16At(error.bytes, at, typeAndCode)
  setU32At(error.bytes, at + 4, rest)
  error.bytes.set(bytes.subarray(start, start + quote), at + HEADER)
  const asker = bytes.slice(start + 8, start + 24)
  const own = aboutGroup ? undefined : ownAddress(netns, bytes, start + 24)
  sendIcmpv6(netns, error, own, asker, packet.input)
}

export function icmpv6AddressUnreachable(netns: NetworkNamespace, packet: Packet): void {
  icmpv6Error(netns, packet, V6_UNREACHABLE, 0)
}

/** The address at `bytes[at]` where it is one of ours. */
function ownAddress(netns: NetworkNamespace, bytes: Uint8Array, at: number): Uint8Array | undefined {
  for (const device of netns.links()) {
    const own = ownOn(device, bytes, at)
    if (own !== undefined && !own.tentative) return own.octets
  }
  return undefined
}

/**
 * Fills in the checksum of an ICMPv6 message and sends it. A link-local destination is on `link`. Nothing is sent
 * where no route leads there.
 */
export function sendIcmpv6(
  netns: NetworkNamespace,
  packet: Packet,
  from: Uint8Array | undefined,
  to: Uint8Array,
  link: Device | undefined,
): void {
  const { ipv6 } = netns
  for (let w = 0; w < 4; w++) words[w] = u32At(to, 4 * w)
  const out = isLinkLocalAt(to, 0) || to[0] === 0xff ? link : undefined
  const bound = out?.kind === 'loopback' ? undefined : out
  const route = ipv6.output(words, from ?? UNSPECIFIED, packet.mark, bound)
  if (route === undefined || !leads(route)) return
  const source = from ?? ipv6.sourceFor(route, to)
  if (source === undefined) return
  const { bytes, start, end } = packet
  bytes.set(source, start - 32)
  bytes.set(to, start - 16)
  setU16At(bytes, start + 2, 0)
  setU16At(bytes, start + 2, transportChecksum(bytes, start, end, start - 32, 6, ipProtocols.icmpv6))
  const hopLimit = netns.sysctls.ipv6(outOf(netns, route), 'hop_limit')
  pushIpv6(packet, source, to, ipProtocols.icmpv6, hopLimit)
  ipv6Send(netns, packet, route, false)
}

const UNSPECIFIED = new Uint8Array(16)

function isUnspecifiedAt(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 16; i++) if (bytes[at + i] !== 0) return false
  return true
}

/** An ICMPv6 message for this namespace, its header at `at`. */
export function icmpv6Input(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, start, end } = packet
  if (end - at < HEADER) return drop(netns, device, packet, 'MALFORMED', 'ip')
  if (transportChecksum(bytes, at, end, start + 8, 6, ipProtocols.icmpv6) !== 0) {
    return drop(netns, device, packet, 'BAD_CHECKSUM', 'ip')
  }
  switch (bytes[at]) {
    case ECHO_REQUEST:
      return answerEcho(netns, device, packet, at)
    case ECHO_REPLY:
      return netns.echoes.reply6(netns, device, packet, at)
    case SOLICITATION:
    case ADVERTISEMENT:
      return ndInput(netns, device, packet, at)
    case UNREACHABLE:
    case TOO_BIG:
    case TIME_EXCEEDED:
    case 4:
      return errorInput(netns, device, packet, at)
    default:
      return drop(netns, device, packet, 'UNKNOWN_PROTOCOL', 'ip')
  }
}

function answerEcho(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, start, end } = packet
  if (netns.simulation.tracing) {
    hop(netns, device, packet, 'deliver', 'ANSWERED', { icmpv6: 'echo request' }, 'ip')
  }
  const reply = netns.simulation.packet(end - at)
  reply.cause = packet.id
  reply.mark = packet.mark
  reply.bytes.set(bytes.subarray(at, end), reply.start)
  reply.bytes[reply.start] = ECHO_REPLY
  const own = bytes[start + 24] === 0xff ? undefined : bytes.slice(start + 24, start + 40)
  sendIcmpv6(netns, reply, own, bytes.slice(start + 8, start + 24), device)
}

/** Somebody says that a packet of ours did not arrive. */
function errorInput(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, end } = packet
  const quoted = at + HEADER
  if (end - quoted < 48 || (bytes[quoted] as number) >>> 4 !== 6) {
    return drop(netns, device, packet, 'MALFORMED', 'ip')
  }
  const type = bytes[at] as number
  const code = bytes[at + 1] as number
  const mtu = type === TOO_BIG ? u32At(bytes, at + 4) : 0
  if (mtu > 0) {
    for (let w = 0; w < 4; w++) words[w] = u32At(bytes, quoted + 24 + 4 * w)
    netns.ipv6.learnMtu(words, mtu)
  }
  const located = innermost(bytes, quoted, end)
  const protocol = located < 0 ? -1 : protocolOf(located)
  const inside = placeOf(located)
  const from = ipFromBytes(bytes, packet.start + 8, 6)
  let told = mtu > 0 || protocol === ipProtocols.udp
  if (protocol === ipProtocols.icmpv6 && inside + 8 <= end && bytes[inside] === ECHO_REQUEST) {
    const key = u16At(bytes, inside + 4)
    if (mtu > 0) told = netns.echoes.end(6, key, { kind: 'too-big', from, mtu })
    else if (type === UNREACHABLE) told = netns.echoes.end(6, key, { kind: 'unreachable', from, code })
    else if (type === TIME_EXCEEDED) told = netns.echoes.end(6, key, { kind: 'time-exceeded', from })
  } else if (protocol === ipProtocols.tcp && inside + 8 <= end && (mtu > 0 || type === UNREACHABLE)) {
    const notice =
      mtu > 0 ? ({ kind: 'too-big', mtu } as const) : ({ kind: 'unreachable', code: errnoOf(code) } as const)
    netns.tcp.icmpError(bytes, inside, quoted + 8, 6, notice)
    told = true
  }
  if (!told) return drop(netns, device, packet, 'NO_SOCKET', 'ip')
  if (netns.simulation.tracing) hop(netns, device, packet, 'deliver', 'SOCKET', NOTHING, 'ip')
}

/** The transport header of a quoted packet, also of the first of its fragments. */
function innermost(bytes: Uint8Array, start: number, end: number): number {
  const located = locateTransport6(bytes, start, end)
  if (located < 0 || protocolOf(located) !== ipProtocols.fragment) return located
  const at = placeOf(located)
  if (at + 8 > end || (u16At(bytes, at + 2) & 0xfff8) !== 0) return -1
  return (bytes[at] as number) * 0x10_0000 + at + 8
}

/** As Linux' icmpv6_err_convert. */
function errnoOf(code: number): 'ENETUNREACH' | 'EHOSTUNREACH' | 'ECONNREFUSED' | 'EACCES' {
  if (code === 0) return 'ENETUNREACH'
  if (code === 4) return 'ECONNREFUSED'
  return code === 1 || code === 5 || code === 6 ? 'EACCES' : 'EHOSTUNREACH'
}
