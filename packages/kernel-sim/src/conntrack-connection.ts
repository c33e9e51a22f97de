import type { ConntrackEntry, FlowTuple } from '@podfabric/kernel'
import { ipFromBytes } from '@podfabric/netaddr'
import { ipProtocols, setU32At } from '@podfabric/wire'
import { type ConntrackReference, type Direction, ORIGINAL, REPLY } from './conntrack-entry.ts'
import { isIcmp, type Tuple, TupleNode } from './conntrack-tuple.ts'

/** Bits of `ct status`, as Linux numbers them, and two of translation that nobody can ask for. */
export const status = {
  seenReply: 2,
  assured: 4,
  confirmed: 8,
  sourceTranslated: 16,
  destinationTranslated: 32,
  sourceDecided: 128,
  destinationDecided: 256,
  dying: 512,
} as const

const listed: Readonly<Record<number, ConntrackEntry['protocol']>> = {
  [ipProtocols.tcp]: 'tcp',
  [ipProtocols.udp]: 'udp',
  [ipProtocols.icmp]: 'icmp',
  [ipProtocols.icmpv6]: 'icmpv6',
}

/** A connection that is followed: from its first packet, and in the table from when that packet was let through. */
export class Connection {
  readonly original: TupleNode
  readonly reply: TupleNode
  /** Bits of `status`. */
  status = 0
  mark = 0
  /** Milliseconds of the clock; later it is as good as gone. */
  expires = 0
  readonly begun: number
  /** The state of a TCP connection, as `conntrack-tcp.ts` numbers them. */
  tcpState = 0
  /** What the translation of its source is called. */
  sourceKind: 'MASQUERADE' | 'SNAT' = 'SNAT'
  /** Counts connections: the order of their first packets. */
  readonly sequence: number
  readonly #references: (ConntrackReference | undefined)[] = []

  constructor(tuple: Tuple, sequence: number, now: number) {
    this.original = new TupleNode(this, ORIGINAL).copy(tuple)
    this.reply = new TupleNode(this, REPLY).invert(tuple)
    this.sequence = sequence
    this.begun = now
  }

  has(bit: number): boolean {
    return (this.status & bit) !== 0
  }

  tuple(direction: Direction): TupleNode {
    return direction === ORIGINAL ? this.original : this.reply
  }

  /** What a packet of this connection carries; made once for each kind. */
  reference(state: 'new' | 'established' | 'related', direction: Direction): ConntrackReference {
    const bit = state === 'new' ? 8 : state === 'established' ? 2 : 4
    const index = bit | direction
    const known = this.#references[index]
    if (known !== undefined) return known
    const reference: ConntrackReference = { state, bit, connection: this, direction }
    this.#references[index] = reference
    return reference
  }

  /** As `conntrack -L` shows it; undefined for protocols that the contract has no word for. */
  entry(): ConntrackEntry | undefined {
    const protocol = listed[this.original.protocol]
    if (protocol === undefined) return undefined
    return {
      protocol,
      original: flowOf(this.original),
      reply: flowOf(this.reply),
      confirmedByReply: this.has(status.seenReply),
      mark: this.mark,
    }
  }
}

const octets = new Uint8Array(32)

function flowOf(tuple: Tuple): FlowTuple {
  for (let i = 0; i < 8; i++) setU32At(octets, 4 * i, tuple.words[i] as number)
  return {
    source: ipFromBytes(octets, 0, tuple.family),
    destination: ipFromBytes(octets, 16, tuple.family),
    sourcePort: tuple.source,
    destinationPort: isIcmp(tuple.protocol) ? tuple.source : tuple.destination,
  }
}
