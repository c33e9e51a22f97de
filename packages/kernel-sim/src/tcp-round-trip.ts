/** Smallest and largest retransmission timeout, as Linux has them (TCP_RTO_MIN, TCP_RTO_MAX). */
const SHORTEST = 200
const LONGEST = 120_000
/** RFC 6298 section 2.1. */
const INITIAL = 1000

/** The retransmission timeout of one connection, in milliseconds (RFC 6298). */
export class TcpRoundTrip {
  timeout = INITIAL
  #smoothed = -1
  #variation = 0

  /** A segment was acknowledged `milliseconds` after it was sent. */
  sample(milliseconds: number): void {
    if (this.#smoothed < 0) {
      this.#smoothed = milliseconds
      this.#variation = milliseconds / 2
    } else {
      this.#variation += (Math.abs(this.#smoothed - milliseconds) - this.#variation) / 4
      this.#smoothed += (milliseconds - this.#smoothed) / 8
    }
    const timeout = Math.ceil(this.#smoothed + Math.max(4 * this.#variation, SHORTEST))
    this.timeout = Math.min(timeout, LONGEST)
  }

  /** Something arrived, but nobody knows when it was sent: back to what holds without samples. */
  restart(): void {
    this.timeout = INITIAL
  }

  /** Nothing came: twice as long from now on, until the next sample. */
  backOff(): void {
    this.timeout = Math.min(this.timeout * 2, LONGEST)
  }
}
