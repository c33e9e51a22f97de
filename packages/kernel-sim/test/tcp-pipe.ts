import { KernelError, type TcpConnection } from '@podfabric/kernel'
import { type Ip, ip } from '@podfabric/netaddr'
import { virtualClock } from '../src/clock.ts'
import { seededRandom } from '../src/random.ts'
import { TCP_HEADROOM, type TcpFlow, type TcpStack, tcpStack } from '../src/tcp.ts'

/** What the path between two stacks does to segments. Milliseconds; rates in [0, 1]. */
export interface PipeOptions {
  readonly seed?: number
  readonly family?: 4 | 6
  readonly latency?: number
  /** Up to so much more, at random: reorders. */
  readonly jitter?: number
  readonly loss?: number
  readonly duplication?: number
  /** What the ends believe. */
  readonly mtu?: number
}

export interface Sent {
  readonly from: 'a' | 'b'
  readonly at: number
  readonly segment: Uint8Array
}

/** Two stacks and a path that may be bad, on a virtual clock. */
export function tcpPipe(options: PipeOptions = {}) {
  const { seed = 1, family = 4, latency = 10, jitter = 0, loss = 0, duplication = 0, mtu = 1500 } = options
  const clock = virtualClock({ start: 1000 })
  const random = seededRandom(seed)
  const addresses =
    family === 4 ? { a: ip('10.0.0.1'), b: ip('10.0.0.2') } : { a: ip('fd00::1'), b: ip('fd00::2') }
  const sent: Sent[] = []
  /** May be changed while traffic flows. */
  const path = { mtu, cut: false, loss, routed: true }
  const stacks = { a: end('a'), b: end('b') }
  const pipe = { clock, sent, path, addresses, ...stacks, lose: (_segment: Uint8Array): boolean => false }
  return pipe

  function end(name: 'a' | 'b'): TcpStack {
    return tcpStack({
      clock,
      random,
      output: (flow, segment) => transmit(name, flow, segment),
      mtuTo: () => mtu,
      sourceFor: (destination: Ip) => {
        if (!path.routed) throw new KernelError('ENETUNREACH', 'route', 'there is none')
        return destination === addresses[name] ? destination : addresses[name]
      },
      isLocal: (address) => address === addresses[name],
    })
  }

  function transmit(from: 'a' | 'b', flow: TcpFlow, segment: Uint8Array): void {
    sent.push({ from, at: clock.now(), segment: segment.slice() })
    if (path.cut || random() < path.loss || pipe.lose(segment)) return
    const size = flow.octets.length
    if (segment.length + (family === 4 ? 20 : 40) > path.mtu) return tooBig(from, flow, segment)
    const copies = random() < duplication ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const packet = new Uint8Array(segment.buffer).slice()
      packet.set(flow.octets, TCP_HEADROOM - size)
      const to = flow.destination === addresses.a ? 'a' : 'b'
      const deliver = () => stacks[to].input(packet, TCP_HEADROOM, packet.length, TCP_HEADROOM - size, family)
      if (latency === 0 && jitter === 0) deliver()
      else clock.after(latency + random() * jitter, deliver)
    }
  }

  function tooBig(from: 'a' | 'b', flow: TcpFlow, segment: Uint8Array): void {
    const quoted = new Uint8Array(flow.octets.length + 8)
    quoted.set(flow.octets)
    quoted.set(segment.subarray(0, 8), flow.octets.length)
    clock.after(latency, () => {
      stacks[from].icmpError(quoted, flow.octets.length, 0, family, { kind: 'too-big', mtu: path.mtu })
    })
  }
}

/** Octets that differ from place to place, so that a gap or a swap shows. */
export function pattern(length: number, seed = 0): Uint8Array {
  const octets = new Uint8Array(length)
  for (let i = 0; i < length; i++) octets[i] = (Math.imul(i + seed, 0x9e37_79b1) >>> 13) ^ i
  return octets
}

export async function readAll(connection: TcpConnection, signal?: AbortSignal): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  for (;;) {
    const piece = await connection.read({ signal })
    if (piece === undefined) break
    pieces.push(piece)
  }
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}
