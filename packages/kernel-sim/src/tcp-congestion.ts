import { sequenceBefore } from './tcp-sequence.ts'

/** The window that the network is trusted with: RFC 5681, and NewReno's recovery (RFC 6582). Octets. */
export class TcpCongestion {
  /** The congestion window. */
  window: number
  /** Acknowledgments in a row that acknowledged nothing. */
  duplicates = 0
  #threshold = Number.MAX_SAFE_INTEGER
  #recovering = false
  /** The highest sequence number sent when the last loss was noticed. */
  #recover: number
  #segment: number

  constructor(segment: number, initialSequence: number) {
    this.#segment = segment
    this.#recover = initialSequence
    this.window = initialWindow(segment)
  }

  /** The handshake has settled the size of segments; nothing was sent yet. */
  begin(segment: number): void {
    this.#segment = segment
    this.window = initialWindow(segment)
  }

  /** Octets that may be in flight now; the first duplicates each let one more segment go (RFC 3042). */
  get allowance(): number {
    return this.window + (this.#recovering ? 0 : Math.min(this.duplicates, 2) * this.#segment)
  }

  set segment(octets: number) {
    this.#segment = octets
    this.window = Math.max(this.window, octets)
  }

  /** An acknowledgment moved to `sequence`, by `octets`. True: the segment there was lost too; send it again. */
  acknowledged(octets: number, sequence: number, inFlight: number): boolean {
    this.duplicates = 0
    const segment = this.#segment
    if (this.#recovering) {
      if (sequenceBefore(sequence, this.#recover)) {
        this.window = Math.max(this.window - octets + (octets >= segment ? segment : 0), segment)
        return true
      }
      this.window = Math.min(this.#threshold, Math.max(inFlight, segment) + segment)
      this.#recovering = false
      return false
    }
    const growth =
      this.window < this.#threshold
        ? Math.min(octets, segment)
        : Math.max(1, Math.floor((segment * segment) / this.window))
    this.window = Math.min(this.window + growth, 0x4000_0000)
    return false
  }

  /** An acknowledgment came again for `sequence`. True: take the segment there for lost. */
  duplicate(sequence: number, highest: number, inFlight: number): boolean {
    this.duplicates++
    if (this.#recovering) {
      this.window += this.#segment
      return false
    }
    if (this.duplicates !== 3 || !sequenceBefore(this.#recover, sequence)) return false
    this.#recovering = true
    this.#recover = highest
    this.#threshold = Math.max(Math.floor(inFlight / 2), 2 * this.#segment)
    this.window = this.#threshold + 3 * this.#segment
    return true
  }

  /** The retransmission timer expired: begin again with one segment. */
  timedOut(highest: number, inFlight: number): void {
    this.#threshold = Math.max(Math.floor(inFlight / 2), 2 * this.#segment)
    this.window = this.#segment
    this.resent(highest)
  }

  /** Everything in flight is sent again: the duplicates that this causes mean no loss. */
  resent(highest: number): void {
    this.#recover = highest
    this.#recovering = false
    this.duplicates = 0
  }
}

/** RFC 6928 section 2. */
function initialWindow(segment: number): number {
  return Math.min(10 * segment, Math.max(2 * segment, 14_600))
}
