import type { Clock, ConntrackEntry, ConntrackFilter, FlowTuple } from '@podfabric/kernel'
import { ipProtocols, ipv4IsFragmentAt, tcpFlagsAt } from '@podfabric/wire'
import { Connection, status } from './conntrack-connection.ts'
import { type ConntrackReference, type Direction, ORIGINAL, REPLY, UNTRACKED } from './conntrack-entry.ts'
import { ConntrackTable } from './conntrack-table.ts'
import { INVALID, nextTcpState, tcpStates, tcpTimeout } from './conntrack-tcp.ts'
import { isIcmp, Tuple } from './conntrack-tuple.ts'
import type { NetfilterPacket } from './netfilter.ts'
import { PacketView } from './packet-view.ts'

/** Milliseconds that a connection is remembered without a packet, as Linux has them. */
const UDP_ALONE = 30_000
const UDP_ANSWERED = 120_000
/** A UDP flow that is answered for so long is taken for a stream. */
const UDP_STREAM_AGE = 2000
const ICMP = 30_000
const OTHER = 600_000

/** ICMPv6 messages that are not followed: router and neighbor discovery, multicast listeners. */
const unfollowed: ReadonlySet<number> = new Set([130, 131, 132, 133, 134, 135, 136, 137, 143])

/** Follows the connections of one namespace. */
export class ConntrackFollower {
  readonly table = new ConntrackTable()
  readonly #clock: Clock
  readonly #tuple = new Tuple()
  readonly #quoted = new PacketView()
  readonly #inverse = new Tuple()
  #sequence = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Says which connection a packet belongs to, at prerouting and output; leaves `connection` undefined for none. */
  follow(view: PacketView, packet: NetfilterPacket): void {
    if (packet.connection !== undefined) return
    if (isUnfollowed(view)) {
      packet.connection = UNTRACKED
      return
    }
    if (isIcmp(view.protocol) && isError(view)) {
      packet.connection = this.#related(view)
      return
    }
    if (isFragment(view) || !this.#tuple.read(view)) return
    const now = this.#clock.now()
    const node = this.table.find(this.#tuple, now)
    packet.connection =
      node === undefined ? this.#begin(view, now) : this.#goOn(view, node.connection, node.direction, now)
  }

  #begin(view: PacketView, now: number): ConntrackReference | undefined {
    if (!this.#tuple.begins) return undefined
    const connection = new Connection(this.#tuple, this.#sequence++, now)
    if (view.protocol === ipProtocols.tcp) {
      if (!view.hasTransport(ipProtocols.tcp, 20)) return undefined
      const state = nextTcpState(tcpStates.none, ORIGINAL, tcpFlagsAt(view.bytes, view.transport))
      if (state === INVALID) return undefined
      connection.tcpState = state
    }
    connection.expires = now + timeoutOf(connection, now)
    return connection.reference('new', ORIGINAL)
  }

  #goOn(
    view: PacketView,
    connection: Connection,
    direction: Direction,
    now: number,
  ): ConntrackReference | undefined {
    if (view.protocol === ipProtocols.tcp) {
      if (!view.hasTransport(ipProtocols.tcp, 20)) return undefined
      const flags = tcpFlagsAt(view.bytes, view.transport)
      const state = nextTcpState(connection.tcpState, direction, flags)
      if (state === INVALID) return undefined
      if (state === tcpStates.synSent && connection.tcpState >= tcpStates.timeWait) {
        this.table.delete(connection)
        return this.#begin(view, now)
      }
      const refused = state === tcpStates.close && direction === REPLY && !connection.has(status.seenReply)
      connection.tcpState = state
      if (refused) this.table.delete(connection)
      if (state === tcpStates.established) connection.status |= status.assured
    }
    if (direction === REPLY) connection.status |= status.seenReply
    connection.expires = now + timeoutOf(connection, now)
    return connection.reference(connection.has(status.seenReply) ? 'established' : 'new', direction)
  }

  /** An ICMP error belongs to the connection of the packet that it quotes. */
  #related(view: PacketView): ConntrackReference | undefined {
    const quoted = this.#quoted
    if (!quoted.read(view.bytes, view.transport + 8, view.end, view.family)) return undefined
    // What is quoted was cut: it ends where the error ends, whatever its own length says.
    quoted.end = view.end
    if (!this.#tuple.read(quoted)) return undefined
    const node = this.table.find(this.#inverse.invert(this.#tuple), this.#clock.now())
    return node?.connection.reference('related', node.direction)
  }

  /**
   * The packet was let through: its connection is followed from now on. False where another connection has the
   * same numbers meanwhile: the packet is to be dropped.
   */
  confirm(packet: NetfilterPacket): boolean {
    const connection = packet.connection?.connection
    if (connection === undefined || connection.has(status.confirmed)) return true
    const now = this.#clock.now()
    const before = this.table.find(connection.original, now) ?? this.table.find(connection.reply, now)
    if (before === undefined) {
      this.table.add(connection, now)
      return true
    }
    const other = before.connection
    const same = other.original.equals(connection.original) && other.reply.equals(connection.reply)
    if (same) packet.connection = other.reference('new', ORIGINAL)
    return same
  }

  /** Whether packets of this direction belong to a connection already. */
  isTaken(tuple: Tuple): boolean {
    return this.table.find(tuple, this.#clock.now()) !== undefined
  }

  list(filter: ConntrackFilter = {}): ConntrackEntry[] {
    return this.#matching(filter).map(({ entry }) => entry)
  }

  delete(filter: ConntrackFilter): number {
    const matching = this.#matching(filter)
    for (const { connection } of matching) this.table.delete(connection)
    return matching.length
  }

  #matching(filter: ConntrackFilter): { connection: Connection; entry: ConntrackEntry }[] {
    return this.table.all(this.#clock.now()).flatMap((connection) => {
      const entry = connection.entry()
      return entry !== undefined && passes(entry, filter) ? [{ connection, entry }] : []
    })
  }
}

function timeoutOf(connection: Connection, now: number): number {
  switch (connection.original.protocol) {
    case ipProtocols.tcp:
      return tcpTimeout(connection.tcpState)
    case ipProtocols.udp:
      return udpTimeout(connection, now)
    case ipProtocols.icmp:
    case ipProtocols.icmpv6:
      return ICMP
    default:
      return OTHER
  }
}

function udpTimeout(connection: Connection, now: number): number {
  if (!connection.has(status.seenReply) || now - connection.begun <= UDP_STREAM_AGE) return UDP_ALONE
  connection.status |= status.assured
  return UDP_ANSWERED
}

function isFragment(view: PacketView): boolean {
  return view.transport < 0 || (view.family === 4 && ipv4IsFragmentAt(view.bytes, view.offset))
}

function isUnfollowed(view: PacketView): boolean {
  return view.hasTransport(ipProtocols.icmpv6, 1) && unfollowed.has(view.bytes[view.transport] as number)
}

/** Destination unreachable, source quench, redirect, time exceeded, parameter problem; all of ICMPv6 below 128. */
function isError(view: PacketView): boolean {
  if (!view.hasTransport(view.protocol, 8)) return false
  const type = view.bytes[view.transport] as number
  if (view.protocol === ipProtocols.icmpv6) return type < 128
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12
}

function passes(entry: ConntrackEntry, filter: ConntrackFilter): boolean {
  if (filter.protocol !== undefined && filter.protocol !== entry.protocol) return false
  return isLike(entry.original, filter.original) && isLike(entry.reply, filter.reply)
}

function isLike(tuple: FlowTuple, wanted: Partial<FlowTuple> = {}): boolean {
  const fields = ['source', 'destination', 'sourcePort', 'destinationPort'] as const
  return fields.every((field) => wanted[field] === undefined || wanted[field] === tuple[field])
}
