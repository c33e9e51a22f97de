import { type Clock, type EchoOutcome, type EchoRequest, KernelError } from '@podfabric/kernel'
import { type Ip, ipFromBytes } from '@podfabric/netaddr'
import { controlData } from './control-message.ts'
import { checked } from './errno.ts'
import { AF_INET, AF_INET6 } from './rtnetlink-address.ts'
import { endpointOf, socketAddress } from './socket-address.ts'
import { MSG_DONTWAIT, type Received, type Syscalls } from './syscall.ts'
import { IPPROTO_IPV6, SendingMode } from './udp-socket.ts'
import { WatchedSocket } from './watched-socket.ts'

const SOCK_RAW = 3
const IPPROTO_ICMP = 1
const IPPROTO_ICMPV6 = 58
const SOL_RAW = 255
const ICMP_FILTER = 1
const ICMP6_FILTER = 1
const IPV6_RECVHOPLIMIT = 51
const IPV6_HOPLIMIT = 52

const four = { request: 8, reply: 0, unreachable: 3, timeExceeded: 11 } as const
const six = { request: 128, reply: 129, unreachable: 1, tooBig: 2, timeExceeded: 3 } as const

/** Counts echoes of this process, so that several at once can be told apart by their identifier. */
let identifiers = 0

/** One ICMP echo over a raw socket, which sees the errors about it too. EPERM without CAP_NET_RAW. */
export async function echo(
  sys: Syscalls,
  namespaceFd: number,
  clock: Clock,
  request: EchoRequest,
): Promise<EchoOutcome> {
  const { destination, source, payload = new Uint8Array(56), sequence = 1, timeout = 1000, signal } = request
  signal?.throwIfAborted()
  const label = `ping ${destination}`
  const v6 = destination.includes(':')
  identifiers = (identifiers + 1) & 0xffff
  const identifier = (identifiers ^ process.pid) & 0xffff
  const socket = openSocket(sys, namespaceFd, v6, label)
  const late = new AbortController()
  const timer = clock.after(timeout, () => late.abort())
  try {
    const fd = socket.fd(label)
    if (source !== undefined) checked(sys.bind(fd, socketAddress({ address: source, port: 0 })), label)
    new SendingMode().apply(sys, fd, v6, request, label)
    const message = echoMessage(v6, identifier, sequence, payload)
    const to = socketAddress({ address: destination, port: 0 })
    await socket.attempt('writable', label, (open) => sys.send(open, message, MSG_DONTWAIT, to), signal)
    const wait = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal])
    for (;;) {
      const received = await socket.attempt<Received>(
        'readable',
        label,
        (open) => sys.receive(open, MSG_DONTWAIT),
        wait,
      )
      const about = { destination, identifier, sequence }
      const outcome = v6 ? readIcmpv6(received, about) : readIcmp(received, about)
      if (outcome !== undefined) return outcome
    }
  } catch (error) {
    if (late.signal.aborted && error === late.signal.reason) return { kind: 'timeout' }
    throw error
  } finally {
    timer[Symbol.dispose]()
    socket.close()
  }
}

function openSocket(sys: Syscalls, namespaceFd: number, v6: boolean, label: string): WatchedSocket {
  const kind = v6
    ? { domain: AF_INET6, type: SOCK_RAW, protocol: IPPROTO_ICMPV6 }
    : { domain: AF_INET, type: SOCK_RAW, protocol: IPPROTO_ICMP }
  const socket = WatchedSocket.open(sys, namespaceFd, kind, label)
  try {
    const fd = socket.fd(label)
    if (v6) {
      checked(sys.setOption(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1), label)
      const passed = [six.reply, six.unreachable, six.tooBig, six.timeExceeded]
      checked(sys.setOption(fd, IPPROTO_ICMPV6, ICMP6_FILTER, blockingAllBut(passed, 32)), label)
    } else {
      const passed = [four.reply, four.unreachable, four.timeExceeded]
      checked(sys.setOption(fd, SOL_RAW, ICMP_FILTER, blockingAllBut(passed, 4)), label)
    }
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

/** A bit for each type that is not to be seen. */
function blockingAllBut(types: readonly number[], octets: number): Uint8Array {
  const mask = new Uint8Array(octets).fill(0xff)
  for (const type of types) mask[type >> 3] = (mask[type >> 3] ?? 0) & ~(1 << (type & 7))
  return mask
}

function echoMessage(v6: boolean, identifier: number, sequence: number, payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + payload.length)
  const view = new DataView(message.buffer)
  view.setUint8(0, v6 ? six.request : four.request)
  view.setUint16(4, identifier)
  view.setUint16(6, sequence)
  message.set(payload, 8)
  // The kernel sums ICMPv6 itself: the sum covers addresses that it chooses.
  if (!v6) view.setUint16(2, onesComplementSum(message) ^ 0xffff)
  return message
}

/** RFC 1071: the sum of 16-bit words, an odd octet padded with zero, carries added back. */
export function onesComplementSum(bytes: Uint8Array, from = 0, initial = 0): number {
  let sum = initial
  for (let i = from; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}

interface Sent {
  readonly destination: Ip
  readonly identifier: number
  readonly sequence: number
}

/** A raw ICMP socket gives the IPv4 header too. Undefined for what is not about the request. */
function readIcmp({ data, from }: Received, sent: Sent): EchoOutcome | undefined {
  const icmp = behindIpv4(data, IPPROTO_ICMP)
  if (icmp === undefined || icmp.length < 8) return undefined
  const view = viewOf(icmp)
  const sender = endpointOf(from).address
  if (view.getUint8(0) === four.reply) {
    if (!isAbout(icmp, four.reply, sent)) return undefined
    return { kind: 'reply', from: sender, ttl: data[8] ?? 0, payload: icmp.slice(8) }
  }
  const quoted = icmp.subarray(8)
  const original = behindIpv4(quoted, IPPROTO_ICMP)
  if (original === undefined || ipAt(quoted, 16, 4) !== sent.destination) return undefined
  if (!isAbout(original, four.request, sent)) return undefined
  const code = view.getUint8(1)
  if (view.getUint8(0) === four.timeExceeded) return { kind: 'time-exceeded', from: sender }
  if (code === 4) return { kind: 'too-big', from: sender, mtu: view.getUint16(6) }
  return { kind: 'unreachable', from: sender, code }
}

function readIcmpv6({ data: icmp, from, control }: Received, sent: Sent): EchoOutcome | undefined {
  if (icmp.length < 8) return undefined
  const view = viewOf(icmp)
  const sender = endpointOf(from).address
  const type = view.getUint8(0)
  if (type === six.reply) {
    if (!isAbout(icmp, six.reply, sent)) return undefined
    const hopLimit = controlData(control, IPPROTO_IPV6, IPV6_HOPLIMIT)
    if (hopLimit === undefined) throw new KernelError('EPROTO', 'ping', 'the kernel told no hop limit')
    return { kind: 'reply', from: sender, ttl: hopLimit[0] ?? 0, payload: icmp.slice(8) }
  }
  const quoted = icmp.subarray(8)
  if (quoted.length < 48 || ipAt(quoted, 24, 16) !== sent.destination) return undefined
  const original = quoted[6] === IPPROTO_ICMPV6 ? quoted.subarray(40) : behindFragment(quoted)
  if (original === undefined || !isAbout(original, six.request, sent)) return undefined
  if (type === six.timeExceeded) return { kind: 'time-exceeded', from: sender }
  if (type === six.tooBig) return { kind: 'too-big', from: sender, mtu: view.getUint32(4) }
  return { kind: 'unreachable', from: sender, code: view.getUint8(1) }
}

/** What is behind an IPv4 header of this protocol. */
function behindIpv4(packet: Uint8Array, protocol: number): Uint8Array | undefined {
  const length = ((packet[0] ?? 0) & 15) * 4
  if (length < 20 || packet.length < length || packet[9] !== protocol) return undefined
  return packet.subarray(length)
}

/** What is behind the fragment header of a first fragment of ICMPv6. */
function behindFragment(packet: Uint8Array): Uint8Array | undefined {
  const isFirst =
    packet[6] === 44 && packet[40] === IPPROTO_ICMPV6 && (viewOf(packet).getUint16(42) & 0xfff8) === 0
  return isFirst ? packet.subarray(48) : undefined
}

function isAbout(icmp: Uint8Array, type: number, { identifier, sequence }: Sent): boolean {
  if (icmp.length < 8) return false
  const view = viewOf(icmp)
  return view.getUint8(0) === type && view.getUint16(4) === identifier && view.getUint16(6) === sequence
}

function ipAt(bytes: Uint8Array, offset: number, length: 4 | 16): Ip | undefined {
  if (bytes.length < offset + length) return undefined
  return ipFromBytes(bytes.subarray(offset, offset + length))
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
