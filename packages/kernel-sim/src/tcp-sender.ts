import { ByteRing } from './byte-ring.ts'
import { TcpCongestion } from './tcp-congestion.ts'
import { sequenceAdd, sequenceBefore, sequenceDistance, sequenceMax } from './tcp-sequence.ts'

/** Octets accepted from the writer and not yet acknowledged, at most. */
const SEND_LIMIT = 1 << 18

/** One piece of the stream to send. */
export interface TcpPiece {
  sequence: number
  /** Octets of data. */
  length: number
  fin: boolean
  /** Nothing is waiting behind it. */
  last: boolean
}

/** The sending half of a connection: what is unacknowledged, what may be sent now (RFC 9293 section 3.8). */
export class TcpSender {
  readonly initial: number
  /** First octet not acknowledged, next to send, one after the highest sent. */
  unacknowledged: number
  next: number
  highest: number
  /** The other side's window, in octets. */
  window = 0
  /** The writer is done: FIN goes out after the last octet. */
  finished = false
  /** Set where the next piece is sent whatever the rules against small segments say: a window probe. */
  pushed = false
  readonly congestion: TcpCongestion
  readonly ring = new ByteRing(SEND_LIMIT)
  /** The sequence number of the ring's first octet. */
  #base: number
  #segment: number
  #largestWindow = 0
  #windowSequence = 0
  #windowAcknowledgment = 0
  /** The first segment not acknowledged is to be sent again at once. */
  #resendFirst = false

  constructor(initial: number, segment: number) {
    this.initial = initial
    this.unacknowledged = initial
    this.next = initial
    this.highest = initial
    this.#base = sequenceAdd(initial, 1)
    this.#segment = segment
    this.congestion = new TcpCongestion(segment, initial)
  }

  /** Octets of data in a full segment. */
  get segment(): number {
    return this.#segment
  }

  set segment(octets: number) {
    this.#segment = octets
    if (this.synchronized) this.congestion.segment = octets
    else this.congestion.begin(octets)
  }

  get outstanding(): boolean {
    return this.unacknowledged !== this.highest
  }

  get inFlight(): number {
    return sequenceDistance(this.unacknowledged, this.next)
  }

  /** Whether the own SYN is acknowledged. */
  get synchronized(): boolean {
    return this.unacknowledged !== this.initial
  }

  /** Whether all is acknowledged, FIN too. */
  get done(): boolean {
    return this.finished && this.unacknowledged === sequenceAdd(this.#base, this.ring.length + 1)
  }

  /** Whether data or FIN wait that were never sent. */
  get waiting(): boolean {
    const sent = sequenceDistance(this.#base, this.highest)
    return this.synchronized && sent < this.ring.length + (this.finished ? 1 : 0)
  }

  /** Chooses what to send now and counts it as sent. False where nothing may be sent. */
  choose(piece: TcpPiece): boolean {
    if (!this.synchronized) return false
    if (this.#resendFirst) {
      this.#resendFirst = false
      if (this.outstanding) return this.#chooseFirst(piece)
    }
    const offset = sequenceDistance(this.#base, this.next)
    const waiting = this.ring.length - offset
    if (waiting < 0) return false
    const usable = Math.min(this.window, this.congestion.allowance) - this.inFlight
    const length = Math.max(0, Math.min(waiting, this.#segment, usable))
    const last = length === waiting
    const fin = this.finished && last && usable > length
    if (length === 0 && !fin) return false
    if (!last && length < this.#segment && !this.#worthwhile(length)) return false
    this.pushed = false
    this.#set(piece, this.next, length, fin)
    return true
  }

  /** Against silly windows (RFC 9293 section 3.8.6.2.1): half of the largest window is worth a segment. */
  #worthwhile(length: number): boolean {
    return this.pushed || 2 * length >= this.#largestWindow || sequenceBefore(this.next, this.highest)
  }

  #chooseFirst(piece: TcpPiece): boolean {
    const offset = sequenceDistance(this.#base, this.unacknowledged)
    const sent = Math.min(sequenceDistance(this.unacknowledged, this.highest), this.ring.length - offset)
    const length = Math.min(sent, this.#segment)
    const finSent = this.highest === sequenceAdd(this.#base, this.ring.length + 1)
    this.#set(piece, this.unacknowledged, length, finSent && offset + length === this.ring.length)
    return true
  }

  #set(piece: TcpPiece, sequence: number, length: number, fin: boolean): void {
    piece.sequence = sequence
    piece.length = length
    piece.fin = fin
    const end = sequenceAdd(sequence, length + (fin ? 1 : 0))
    piece.last = sequenceDistance(this.#base, end) >= this.ring.length
    this.next = sequenceMax(this.next, end)
    this.highest = sequenceMax(this.highest, end)
  }

  /** Copies a piece's data to `target[at]`. */
  copy(piece: TcpPiece, target: Uint8Array, at: number): void {
    this.ring.copy(sequenceDistance(this.#base, piece.sequence), piece.length, target, at)
  }

  /** Everything before `sequence`, which is new, arrived. */
  acknowledge(sequence: number): void {
    const acknowledged = sequenceDistance(this.unacknowledged, sequence)
    const handshake = !this.synchronized
    this.unacknowledged = sequence
    this.next = sequenceMax(this.next, sequence)
    const data = Math.min(sequenceDistance(this.#base, sequence), this.ring.length)
    this.ring.skip(data)
    this.#base = sequenceAdd(this.#base, data)
    if (handshake) return
    if (this.congestion.acknowledged(acknowledged, sequence, this.inFlight)) this.#resendFirst = true
  }

  /** An acknowledgment came that says nothing new, while data is outstanding. */
  duplicate(): void {
    if (this.congestion.duplicate(this.unacknowledged, this.highest, this.inFlight)) this.#resendFirst = true
  }

  /** The window as a segment of the other side says, unless a later one said otherwise. */
  updateWindow(sequence: number, acknowledgment: number, window: number): void {
    const older =
      sequenceBefore(sequence, this.#windowSequence) ||
      (sequence === this.#windowSequence && sequenceBefore(acknowledgment, this.#windowAcknowledgment))
    if (!older) this.setWindow(sequence, acknowledgment, window)
  }

  setWindow(sequence: number, acknowledgment: number, window: number): void {
    this.#windowSequence = sequence
    this.#windowAcknowledgment = acknowledgment
    this.window = window
    this.#largestWindow = Math.max(this.#largestWindow, window)
  }

  get largestWindow(): number {
    return this.#largestWindow
  }

  /** The retransmission timer expired: everything outstanding is sent again, the first segment at once. */
  timedOut(): void {
    if (this.synchronized) this.congestion.timedOut(this.highest, this.inFlight)
    this.#rewind()
  }

  /** The path takes `segment` octets of data at most: everything outstanding is sent again. */
  resegment(segment: number): void {
    this.segment = segment
    this.congestion.resent(this.highest)
    this.#rewind()
  }

  #rewind(): void {
    this.next = this.unacknowledged
    this.#resendFirst = true
  }
}
