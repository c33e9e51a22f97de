import { ipv4FromNumber } from '@podfabric/netaddr'
import { internetChecksum, ipProtocols, ipv4HeaderLengthAt, setU16At, setU32At, u16At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { ipv4Send, leads, pushIpv4 } from './ipv4-output.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'

// Type and code of the errors that are sent from here, RFC 792 and RFC 1812, as (type << 8) | code.
export const NET_UNREACHABLE = 0x300
export const HOST_UNREACHABLE = 0x301
export const PROTOCOL_UNREACHABLE = 0x302
export const PORT_UNREACHABLE = 0x303
/** The rest of the header is the MTU (RFC 1191). */
export const FRAGMENTATION_NEEDED = 0x304
export const PROHIBITED = 0x30d
export const TTL_EXCEEDED = 0xb00
export const REASSEMBLY_TIME_EXCEEDED = 0xb01

const HEADER = 8
/** An error with its quote is at most this long, IP header included (RFC 1812 section 4.3.2.3). */
const LARGEST = 576
const ECHO_REPLY = 0
const UNREACHABLE = 3
const ECHO_REQUEST = 8
const TIME_EXCEEDED = 11
const PARAMETER_PROBLEM = 12

/** Path MTUs to guess from, largest first, where a router does not tell: RFC 1191 section 7. */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]

/**
 * Tells the sender of a packet what became of it; `packet.start` is at its IP header. Not told: errors about
 * errors, about later fragments, about packets to groups or from nobody (RFC 1122 section 3.2.2).
 */
export function icmpError(netns: NetworkNamespace, packet: Packet, typeAndCode: number, rest: number): void {
  const { bytes, start } = packet
  const source = i32At(bytes, start + 12)
  const destination = i32At(bytes, start + 16)
  if (packet.group || destination >>> 28 === 14 || destination === -1) return
  if (source === 0 || source === -1 || source >>> 28 === 14) return
  if ((u16At(bytes, start + 6) & 0x1fff) !== 0) return
  if (bytes[start + 9] === ipProtocols.icmp && isError(bytes[start + ipv4HeaderLengthAt(bytes, start)]))
    return
  const { ipv4 } = netns
  const own = ipv4.isLocal(destination) ? destination : 0
  const route = ipv4.output(source, own, 0, undefined)
  if (route === undefined || !leads(route)) return
  const quote = Math.min(packet.length, LARGEST - 20 - HEADER)
  const error = netns.simulation.packet(HEADER + quote)
  error.cause = packet.id
  const at = error.start
  setU16At(error.bytes, at, typeAndCode)
  setU32At(error.bytes, at + 4, rest)
  error.bytes.set(bytes.subarray(start, start + quote), at + HEADER)
  setU16At(error.bytes, at + 2, internetChecksum(error.bytes, at, error.end))
  pushIpv4(netns, error, {
    source: own === 0 ? ipv4.sourceFor(route, source) : own,
    destination: source,
    protocol: ipProtocols.icmp,
    ttl: netns.sysctls.ttl,
    dontFragment: false,
  })
  ipv4Send(netns, error, route)
}

/** Nobody answered for the next hop of a packet. */
export function icmpHostUnreachable(netns: NetworkNamespace, packet: Packet): void {
  icmpError(netns, packet, HOST_UNREACHABLE, 0)
}

function isError(type: number | undefined): boolean {
  return (
    type === UNREACHABLE || type === TIME_EXCEEDED || type === PARAMETER_PROBLEM || type === 4 || type === 5
  )
}

/** An ICMP message for this namespace. */
export function icmpInput(netns: NetworkNamespace, device: Device, packet: Packet): void {
  const { bytes, start, end } = packet
  const at = start + ipv4HeaderLengthAt(bytes, start)
  if (end - at < HEADER) return drop(netns, device, packet, 'MALFORMED', 'ip')
  if (internetChecksum(bytes, at, end) !== 0) return drop(netns, device, packet, 'BAD_CHECKSUM', 'ip')
  switch (bytes[at]) {
    case ECHO_REQUEST:
      return answerEcho(netns, device, packet, at)
    case ECHO_REPLY:
      return netns.echoes.reply4(netns, device, packet, at)
    case UNREACHABLE:
    case TIME_EXCEEDED:
    case PARAMETER_PROBLEM:
      return errorInput(netns, device, packet, at)
    default:
      return drop(netns, device, packet, 'UNKNOWN_PROTOCOL', 'ip')
  }
}

function answerEcho(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, start, end } = packet
  const asker = i32At(bytes, start + 12)
  const own = i32At(bytes, start + 16)
  const { ipv4, sysctls } = netns
  const toGroup = packet.group || !ipv4.isLocal(own)
  if (
    sysctls.flag('net.ipv4.icmp_echo_ignore_all') ||
    (toGroup && sysctls.flag('net.ipv4.icmp_echo_ignore_broadcasts'))
  ) {
    return drop(netns, device, packet, 'NOT_FOR_THIS_HOST', 'ip')
  }
  if (netns.simulation.tracing) {
    hop(netns, device, packet, 'deliver', 'ANSWERED', { icmp: 'echo request' }, 'ip')
  }
  const route = ipv4.output(asker, toGroup ? 0 : own, packet.mark, undefined)
  if (route === undefined || !leads(route)) return
  const reply = netns.simulation.packet(end - at)
  reply.cause = packet.id
  reply.bytes.set(bytes.subarray(at, end), reply.start)
  reply.bytes[reply.start] = ECHO_REPLY
  setU16At(reply.bytes, reply.start + 2, 0)
  setU16At(reply.bytes, reply.start + 2, internetChecksum(reply.bytes, reply.start, reply.end))
  pushIpv4(netns, reply, {
    source: toGroup ? ipv4.sourceFor(route, asker) : own,
    destination: asker,
    protocol: ipProtocols.icmp,
    ttl: sysctls.ttl,
    dontFragment: false,
  })
  ipv4Send(netns, reply, route)
}

/** Somebody says that a packet of ours did not arrive. */
function errorInput(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, end } = packet
  const quoted = at + HEADER
  if (end - quoted < 28 || (bytes[quoted] as number) >>> 4 !== 4) {
    return drop(netns, device, packet, 'MALFORMED', 'ip')
  }
  const inside = quoted + ipv4HeaderLengthAt(bytes, quoted)
  if (inside < quoted + 20 || inside + 8 > end) return drop(netns, device, packet, 'MALFORMED', 'ip')
  const type = bytes[at] as number
  const code = bytes[at + 1] as number
  let mtu = 0
  if (type === UNREACHABLE && code === 4) {
    mtu = u16At(bytes, at + 6)
    const length = u16At(bytes, quoted + 2)
    if (mtu === 0) mtu = PLATEAUS.find((plateau) => plateau < length) ?? 68
    netns.ipv4.learnMtu(i32At(bytes, quoted + 16), mtu)
  }
  const from = ipv4FromNumber(i32At(bytes, packet.start + 12))
  const protocol = bytes[quoted + 9]
  let told = mtu > 0
  if (protocol === ipProtocols.icmp && bytes[inside] === ECHO_REQUEST) {
    const key = u16At(bytes, inside + 4)
    if (mtu > 0) told = netns.echoes.end(4, key, { kind: 'too-big', from, mtu })
    else if (type === UNREACHABLE) told = netns.echoes.end(4, key, { kind: 'unreachable', from, code })
    else if (type === TIME_EXCEEDED) told = netns.echoes.end(4, key, { kind: 'time-exceeded', from })
  } else if (protocol === ipProtocols.tcp && type === UNREACHABLE) {
    const notice =
      mtu > 0 ? ({ kind: 'too-big', mtu } as const) : ({ kind: 'unreachable', code: errnoOf(code) } as const)
    netns.tcp.icmpError(bytes, inside, quoted + 12, 4, notice)
    told = true
  } else if (protocol === ipProtocols.udp) {
    // Datagrams are sent and forgotten: a socket that is not connected hears of no error, as on Linux.
    told = true
  }
  if (!told) return drop(netns, device, packet, 'NO_SOCKET', 'ip')
  if (netns.simulation.tracing) hop(netns, device, packet, 'deliver', 'SOCKET', NOTHING, 'ip')
}

/** As Linux' icmp_err_convert. */
function errnoOf(code: number): 'ENETUNREACH' | 'EHOSTUNREACH' | 'ECONNREFUSED' {
  if (code === 0 || code === 6 || code === 9 || code === 11) return 'ENETUNREACH'
  return code === 2 || code === 3 ? 'ECONNREFUSED' : 'EHOSTUNREACH'
}
