import { ipProtocols, u16At, u32At } from '@podfabric/wire'
import type { Connection } from './conntrack-connection.ts'
import { type Direction, ORIGINAL } from './conntrack-entry.ts'
import type { PacketView } from './packet-view.ts'

const { icmp, icmpv6, tcp, udp, sctp } = ipProtocols

/** The request and its answer, of ICMP messages that are followed. */
const answers: Readonly<Record<number, ReadonlyMap<number, number>>> = {
  [icmp]: bothWays([
    [8, 0],
    [13, 14],
    [17, 18],
  ]),
  [icmpv6]: bothWays([[128, 129]]),
}
const requests: Readonly<Record<number, readonly number[]>> = { [icmp]: [8, 13, 17], [icmpv6]: [128] }

function bothWays(pairs: readonly (readonly [number, number])[]): ReadonlyMap<number, number> {
  return new Map(pairs.flatMap(([request, reply]) => [[request, reply] as const, [reply, request] as const]))
}

/** One direction of a connection in numbers, as packets have it: what the tables of connections are asked for. */
export class Tuple {
  family: 4 | 6 = 4
  protocol = 0
  /** Source address in the first four words, destination in the last; an IPv4 address in the first of its four. */
  readonly words = new Uint32Array(8)
  /** The source port; the identifier of an ICMP echo. */
  source = 0
  /** The destination port; the type of an ICMP message. */
  destination = 0

  /** Reads the tuple of the packet; false where it belongs to no connection. */
  read(view: PacketView): boolean {
    const { bytes, protocol, transport, family } = view
    if (transport < 0 || protocol < 0) return false
    this.family = family
    this.protocol = protocol
    this.#readAddresses(view)
    this.source = 0
    this.destination = 0
    if (protocol === tcp || protocol === udp || protocol === sctp) {
      if (transport + 4 > view.end) return false
      this.source = u16At(bytes, transport)
      this.destination = u16At(bytes, transport + 2)
    } else if (isIcmp(protocol)) {
      if (transport + 8 > view.end) return false
      this.destination = bytes[transport] as number
      if (answers[protocol]?.has(this.destination) !== true) return false
      this.source = u16At(bytes, transport + 4)
    }
    return true
  }

  #readAddresses(view: PacketView): void {
    const { bytes, words, family } = { bytes: view.bytes, words: this.words, family: view.family }
    const [from, to] = [view.source, view.destination]
    if (family === 4) {
      words.fill(0)
      words[0] = u32At(bytes, from)
      words[4] = u32At(bytes, to)
      return
    }
    for (let i = 0; i < 4; i++) {
      words[i] = u32At(bytes, from + 4 * i)
      words[4 + i] = u32At(bytes, to + 4 * i)
    }
  }

  /** Whether a message like this begins a connection: a request, where it is ICMP. */
  get begins(): boolean {
    return !isIcmp(this.protocol) || (requests[this.protocol]?.includes(this.destination) ?? false)
  }

  copy(from: Tuple): this {
    this.family = from.family
    this.protocol = from.protocol
    this.words.set(from.words)
    this.source = from.source
    this.destination = from.destination
    return this
  }

  /** Becomes the tuple of packets the other way. */
  invert(from: Tuple): this {
    const [a, b] = [from.source, from.destination]
    const { words } = from
    for (let i = 0; i < 4; i++) {
      const word = words[i] as number
      this.words[i] = words[4 + i] as number
      this.words[4 + i] = word
    }
    this.family = from.family
    this.protocol = from.protocol
    if (isIcmp(from.protocol)) {
      this.source = a
      this.destination = answers[from.protocol]?.get(b) ?? b
    } else {
      this.source = b
      this.destination = a
    }
    return this
  }

  equals(other: Tuple): boolean {
    if (this.source !== other.source || this.destination !== other.destination) return false
    if (this.protocol !== other.protocol || this.family !== other.family) return false
    for (let i = 0; i < 8; i++) if (this.words[i] !== other.words[i]) return false
    return true
  }

  hash(): number {
    let hash = (this.source << 16) ^ this.destination ^ Math.imul(this.protocol, 0x85eb_ca6b)
    for (let i = 0; i < 8; i++) {
      hash = Math.imul(hash ^ (this.words[i] as number), 0x9e37_79b1)
      hash ^= hash >>> 15
    }
    return hash >>> 0
  }
}

/** One direction of a connection that is in the table. */
export class TupleNode extends Tuple {
  readonly connection: Connection
  readonly direction: Direction
  hashed = 0
  next: TupleNode | undefined = undefined

  constructor(connection: Connection, direction: Direction = ORIGINAL) {
    super()
    this.connection = connection
    this.direction = direction
  }
}

export function isIcmp(protocol: number): boolean {
  return protocol === icmp || protocol === icmpv6
}
