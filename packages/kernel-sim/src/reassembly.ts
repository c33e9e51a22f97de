import { internetChecksum, ipv4HeaderLengthAt, setU16At, u16At } from '@podfabric/wire'
import { drop } from './hops.ts'
import { icmpError, REASSEMBLY_TIME_EXCEEDED } from './icmp.ts'
import { icmpv6Error, V6_REASSEMBLY_TIME_EXCEEDED } from './icmpv6.ts'
import { locateFragment6 } from './ipv6-extensions.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { allocatePacket, type Packet } from './packet.ts'

// Linux' defaults: ipfrag_time, ip6frag_time, ipfrag_high_thresh
const TIME4 = 30_000
const TIME6 = 60_000
const OCTETS_LIMIT = 4_194_304
const LARGEST = 65_535

interface Piece {
  readonly offset: number
  readonly packet: Packet
  /** Where the fragment's own data is in the packet. */
  readonly from: number
  readonly to: number
}

interface Datagram {
  readonly key: string
  readonly pieces: Piece[]
  /** Length of the whole, known from the last fragment. */
  total: number
  have: number
  timer: Disposable
}

/** Puts fragments together again, of both families, with a bound on what waits. */
export class Reassembly {
  readonly #netns: NetworkNamespace
  readonly #datagrams = new Map<string, Datagram>()
  #octets = 0

  constructor(netns: NetworkNamespace) {
    this.#netns = netns
  }

  /** Takes a fragment; gives the whole packet where it was the last that was missing. */
  add4(packet: Packet): Packet | undefined {
    const { bytes, start, end } = packet
    const header = ipv4HeaderLengthAt(bytes, start)
    const flags = u16At(bytes, start + 6)
    const key = `4 ${bytes.subarray(start + 12, start + 20).join()} ${u16At(bytes, start + 4)} ${bytes[start + 9]}`
    const piece = { offset: (flags & 0x1fff) * 8, packet, from: start + header, to: end }
    const done = this.#add(key, piece, (flags & 0x2000) !== 0, TIME4)
    return done && this.#join4(done)
  }

  add6(packet: Packet): Packet | undefined {
    const { bytes, start, end } = packet
    const fragment = locateFragment6(bytes, start, end)
    if (fragment === undefined) {
      drop(this.#netns, packet.input, packet, 'MALFORMED', 'ip')
      return undefined
    }
    const { at } = fragment
    const flags = u16At(bytes, at + 2)
    const identification = bytes.subarray(at + 4, at + 8).join()
    const key = `6 ${bytes.subarray(start + 8, start + 40).join()} ${identification}`
    const piece = { offset: flags & 0xfff8, packet, from: at + 8, to: end }
    const done = this.#add(key, piece, (flags & 1) !== 0, TIME6)
    return done && this.#join6(done)
  }

  #add(key: string, piece: Piece, more: boolean, time: number): Datagram | undefined {
    const length = piece.to - piece.from
    const refuse = (reason: 'MALFORMED' | 'SOCKET_FULL'): undefined => {
      drop(this.#netns, piece.packet.input, piece.packet, reason, 'ip')
    }
    if (length === 0 || (more && length % 8 !== 0) || piece.offset + length > LARGEST)
      return refuse('MALFORMED')
    if (this.#octets + length > OCTETS_LIMIT) return refuse('SOCKET_FULL')
    let datagram = this.#datagrams.get(key)
    if (datagram === undefined) {
      const timer = this.#netns.simulation.after(time, () => this.#expire(key), { background: true })
      datagram = { key, pieces: [], total: -1, have: 0, timer }
      this.#datagrams.set(key, datagram)
    }
    const { pieces } = datagram
    const place = pieces.findIndex(({ offset }) => offset >= piece.offset)
    const at = place < 0 ? pieces.length : place
    const before = pieces[at - 1]
    const after = pieces[at]
    const end = piece.offset + length
    if (after?.offset === piece.offset && after.to - after.from === length) {
      // The same fragment once more.
      return refuse('MALFORMED')
    }
    const overlaps =
      (before !== undefined && before.offset + before.to - before.from > piece.offset) ||
      (after !== undefined && end > after.offset)
    const total = more ? datagram.total : end
    if (overlaps || (datagram.total >= 0 && (total !== datagram.total || end > datagram.total))) {
      // RFC 5722: a datagram with overlapping fragments is dropped whole.
      this.#forget(datagram)
      return refuse('MALFORMED')
    }
    datagram.total = total
    datagram.have += length
    this.#octets += length
    pieces.splice(at, 0, piece)
    if (datagram.have !== datagram.total) return undefined
    this.#forget(datagram)
    return datagram
  }

  #forget(datagram: Datagram): void {
    datagram.timer[Symbol.dispose]()
    this.#datagrams.delete(datagram.key)
    this.#octets -= datagram.have
  }

  /** Not all came in time. Whoever sent the first fragment hears of it. */
  #expire(key: string): void {
    const datagram = this.#datagrams.get(key)
    if (datagram === undefined) return
    this.#forget(datagram)
    const [first] = datagram.pieces
    if (first?.offset !== 0) return
    if (first.packet.family === 4) icmpError(this.#netns, first.packet, REASSEMBLY_TIME_EXCEEDED, 0)
    else icmpv6Error(this.#netns, first.packet, V6_REASSEMBLY_TIME_EXCEEDED, 0)
  }

  destroy(): void {
    for (const datagram of [...this.#datagrams.values()]) this.#forget(datagram)
  }

  #join4({ pieces, total }: Datagram): Packet | undefined {
    const [first] = pieces as [Piece]
    const header = first.from - first.packet.start
    if (header + total > LARGEST) {
      drop(this.#netns, first.packet.input, first.packet, 'MALFORMED', 'ip')
      return undefined
    }
    const whole = this.#allocate(first, header, total, pieces)
    setU16At(whole.bytes, whole.start + 2, header + total)
    setU16At(whole.bytes, whole.start + 6, 0)
    setU16At(whole.bytes, whole.start + 10, 0)
    setU16At(whole.bytes, whole.start + 10, internetChecksum(whole.bytes, whole.start, whole.start + header))
    return whole
  }

  #join6({ pieces, total }: Datagram): Packet | undefined {
    const [first] = pieces as [Piece]
    const { bytes, start } = first.packet
    const header = first.from - 8 - start
    if (header - 40 + total > LARGEST) {
      drop(this.#netns, first.packet.input, first.packet, 'MALFORMED', 'ip')
      return undefined
    }
    const whole = this.#allocate(first, header, total, pieces)
    setU16At(whole.bytes, whole.start + 4, header - 40 + total)
    const fragment = locateFragment6(bytes, start, first.packet.end)
    const pointer = (fragment?.pointer ?? start + 6) - start
    whole.bytes[whole.start + pointer] = bytes[first.from - 8] as number
    return whole
  }

  #allocate(first: Piece, header: number, total: number, pieces: readonly Piece[]): Packet {
    const { packet } = first
    const whole = allocatePacket(packet.id, header + total)
    whole.cause = packet.cause
    whole.hops = packet.hops
    whole.family = packet.family
    whole.input = packet.input
    whole.group = packet.group
    whole.mark = packet.mark
    whole.bytes.set(packet.bytes.subarray(packet.start, packet.start + header), whole.start)
    for (const piece of pieces) {
      whole.bytes.set(piece.packet.bytes.subarray(piece.from, piece.to), whole.start + header + piece.offset)
    }
    return whole
  }
}
