import type { ConntrackFollower } from './conntrack.ts'
import { type Connection, status } from './conntrack-connection.ts'
import { type ConntrackReference, ORIGINAL, REPLY } from './conntrack-entry.ts'
import { Tuple } from './conntrack-tuple.ts'
import { choosePort } from './nat-port.ts'
import { rewrite, rewriteAddress, rewriteQuoted, type Side } from './nat-rewrite.ts'
import type { Accepted, Hook, NetfilterEnvironment } from './netfilter.ts'
import type { NetfilterView, TranslationWish } from './netfilter-view.ts'
import { wordsOf } from './nft-value.ts'
import { PacketView } from './packet-view.ts'

/** Which side of a packet is translated at a hook, seen in the connection's own direction. */
export function sideAt(hook: Hook): Side {
  return hook === 'prerouting' || hook === 'output' ? 'destination' : 'source'
}

/** Translates addresses: decides once for each connection, and rewrites every packet of it (RFC 3022). */
export class Nat {
  readonly #follower: ConntrackFollower
  readonly #environment: Pick<NetfilterEnvironment, 'random' | 'sourceOn'>
  readonly #wanted = new Tuple()
  readonly #inverse = new Tuple()
  readonly #quoted = new PacketView()
  readonly #isTaken = (tuple: Tuple): boolean => this.#follower.isTaken(this.#inverse.invert(tuple))

  constructor(follower: ConntrackFollower, environment: Pick<NetfilterEnvironment, 'random' | 'sourceOn'>) {
    this.#follower = follower
    this.#environment = environment
  }

  /** Whether the rules are to be asked what becomes of this side of the packet's connection. */
  undecided(reference: ConntrackReference, side: Side): boolean {
    const { connection, state, direction } = reference
    if (connection === undefined || state !== 'new' || direction !== ORIGINAL) return false
    const decided = side === 'source' ? status.sourceDecided : status.destinationDecided
    return !connection.has(decided | status.confirmed)
  }

  /** Decides it: as a rule wished, or, without one, unchanged unless that clashes. False: drop the packet. */
  decide(
    view: NetfilterView,
    connection: Connection,
    side: Side,
    wish: TranslationWish | undefined,
  ): boolean {
    const current = this.#wanted.invert(connection.reply)
    const { source, destination } = current
    const address = wish === undefined ? undefined : this.#addressOf(view, wish)
    if (wish !== undefined && address === undefined) return false
    if (address !== undefined) {
      const at = side === 'source' ? 0 : 4
      current.words.fill(0, at, at + 4)
      current.words.set(address, at)
    }
    if (side === 'source') {
      if (!this.#chooseSource(current, wish)) return false
    } else if (wish?.port !== undefined) {
      current.destination = wish.port
    }
    const same =
      source === current.source &&
      destination === current.destination &&
      current.equals(this.#inverse.invert(connection.reply))
    connection.status |= side === 'source' ? status.sourceDecided : status.destinationDecided
    if (same) return true
    connection.status |= side === 'source' ? status.sourceTranslated : status.destinationTranslated
    if (wish?.kind === 'MASQUERADE') connection.sourceKind = 'MASQUERADE'
    connection.reply.invert(current)
    return true
  }

  #addressOf(view: NetfilterView, wish: TranslationWish): Uint32Array | undefined {
    if (wish.address !== undefined) return wish.address
    const address = this.#environment.sourceOn(view.output, view.packet)
    return address === undefined ? undefined : wordsOf(address)
  }

  #chooseSource(tuple: Tuple, wish: TranslationWish | undefined): boolean {
    if (wish?.port !== undefined) {
      tuple.source = wish.port
      return true
    }
    if (wish?.random !== true && !this.#isTaken(tuple)) return true
    return choosePort(tuple, this.#isTaken, this.#environment.random)
  }

  /** Rewrites the packet as its connection says for this hook; returns what that is called, if it changed. */
  translate(view: NetfilterView, reference: ConntrackReference, side: Side): Accepted['translation'] {
    const { connection, direction, state } = reference
    if (connection === undefined) return undefined
    const asked = direction === REPLY ? otherSide(side) : side
    const bit = asked === 'source' ? status.sourceTranslated : status.destinationTranslated
    if (!connection.has(bit)) return undefined
    const opposite = connection.tuple(direction === REPLY ? ORIGINAL : REPLY)
    const changed =
      state === 'related' ? this.#translateError(view, opposite, side) : translatePacket(view, opposite, side)
    if (!changed) return undefined
    if (direction === REPLY) return 'NAT_REPLY'
    return side === 'source' ? connection.sourceKind : 'DNAT'
  }

  /** An ICMP error: what it quotes is put back as its sender knows it, and so is the error's own address. */
  #translateError(view: NetfilterView, opposite: Tuple, side: Side): boolean {
    const quoted = this.#quoted
    const { bytes } = view
    if (!quoted.read(bytes, view.transport + 8, view.end, view.family)) return false
    quoted.end = view.end
    const inner = otherSide(side)
    const port = inner === 'source' ? opposite.source : opposite.destination
    const place = inner === 'source' ? 0 : 4
    const changed = rewriteQuoted(view, quoted, () =>
      rewrite(quoted, inner, opposite.words, place, quotedPort(quoted, opposite, port)),
    )
    return rewriteAddress(view, side, opposite.words, side === 'source' ? 4 : 0) || changed
  }
}

function translatePacket(view: NetfilterView, opposite: Tuple, side: Side): boolean {
  const expected = inverted.invert(opposite)
  const port = side === 'source' || isIdentified(view) ? expected.source : expected.destination
  return rewrite(view, side, expected.words, side === 'source' ? 0 : 4, port)
}

const inverted = new Tuple()

function quotedPort(quoted: PacketView, opposite: Tuple, port: number): number {
  return isIdentified(quoted) ? opposite.source : port
}

/** ICMP has one identifier for both sides. */
function isIdentified(view: PacketView): boolean {
  return view.protocol === 1 || view.protocol === 58
}

function otherSide(side: Side): Side {
  return side === 'source' ? 'destination' : 'source'
}
