import { ByteRing } from './byte-ring.ts'
import { sequenceAdd, sequenceBefore, sequenceDistance, sequenceMax } from './tcp-sequence.ts'

/** Received octets that are not read yet, at most; also the largest window. */
const RECEIVE_LIMIT = 1 << 18
/** The windows that this end says are in units of 2^3 octets, where both ends scale (RFC 7323). */
export const RECEIVE_SHIFT = 3

/** The receiving half of a connection: order, and the window (RFC 9293 section 3.8.6). */
export class TcpReceiver {
  /** The sequence number expected next. */
  next = 0
  /** Whether the other side's FIN was reached. */
  ended = false
  /** 0 where the windows of this end are not scaled. */
  shift = 0
  readonly #ring = new ByteRing(RECEIVE_LIMIT)
  /** What came ahead of order: begins and ends of pieces, sorted, without overlap. */
  readonly #ahead: { start: number; end: number }[] = []
  /** The sequence number of the other side's FIN, when it is known. */
  #fin = -1
  /** The right edge of the window that the other side was told last. */
  #edge = 0

  /** The other side's SYN had this sequence number. */
  begin(sequence: number): void {
    this.next = sequenceAdd(sequence, 1)
    this.#edge = this.next
  }

  /** Octets that can be read. */
  get readable(): number {
    return this.#ring.length
  }

  /** Octets that may come after `next`. */
  get window(): number {
    return this.#ring.space
  }

  /** The window field to send, which this counts as told. */
  tellWindow(scaled: boolean): number {
    const shift = scaled ? this.shift : 0
    const field = Math.min(this.window >>> shift, 0xffff)
    this.#edge = sequenceMax(this.#edge, sequenceAdd(this.next, field << shift))
    return field
  }

  /** Whether reading has opened the window so far that the other side should be told. */
  windowOpened(segment: number): boolean {
    const told = sequenceBefore(this.#edge, this.next) ? 0 : sequenceDistance(this.next, this.#edge)
    return this.window >= 2 * told && this.window >= segment
  }

  /** Takes the octets `bytes[start, end)` that begin at `sequence`. True where they, or a FIN, moved `next`. */
  accept(sequence: number, bytes: Uint8Array, start: number, end: number, fin: boolean): boolean {
    const before = this.next
    let from = start
    let at = sequence
    if (sequenceBefore(at, before)) {
      from += Math.min(sequenceDistance(at, before), end - start)
      at = sequenceAdd(sequence, from - start)
    }
    const offset = sequenceDistance(before, at)
    const fits = Math.max(0, Math.min(end - from, this.window - offset))
    if (fin && from + fits === end) this.#fin = sequenceAdd(sequence, end - start)
    if (fits > 0 && !this.ended) {
      this.#ring.put(this.#ring.length + offset, bytes, from, from + fits)
      if (offset === 0) this.#advance(sequenceAdd(at, fits))
      else this.#keep(at, sequenceAdd(at, fits))
    }
    if (this.#fin === this.next && !this.ended) {
      this.ended = true
      this.next = sequenceAdd(this.next, 1)
    }
    return this.next !== before
  }

  /** Whether pieces wait for what comes before them. */
  get hasGaps(): boolean {
    return this.#ahead.length > 0
  }

  /** All that can be read, as the reader's own copy. */
  take(): Uint8Array {
    const octets = new Uint8Array(this.#ring.length)
    this.#ring.copy(0, octets.length, octets, 0)
    this.#ring.skip(octets.length)
    return octets
  }

  clear(): void {
    this.#ring.clear()
    this.#ahead.length = 0
  }

  /** What is before `end` is there, and perhaps more that came ahead. */
  #advance(end: number): void {
    const { next } = this
    let to = end
    while (this.#ahead.length > 0) {
      const piece = this.#ahead[0] as { start: number; end: number }
      if (sequenceBefore(to, piece.start)) break
      to = sequenceMax(to, piece.end)
      this.#ahead.shift()
    }
    this.#ring.extend(sequenceDistance(next, to))
    this.next = to
  }

  #keep(start: number, end: number): void {
    const pieces = this.#ahead
    let first = 0
    while (first < pieces.length && sequenceBefore((pieces[first] as { end: number }).end, start)) first++
    let last = first
    let from = start
    let to = end
    for (; last < pieces.length; last++) {
      const piece = pieces[last] as { start: number; end: number }
      if (sequenceBefore(to, piece.start)) break
      if (sequenceBefore(piece.start, from)) from = piece.start
      to = sequenceMax(to, piece.end)
    }
    pieces.splice(first, last - first, { start: from, end: to })
  }
}
