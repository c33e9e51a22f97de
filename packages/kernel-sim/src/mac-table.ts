const EMPTY = 0
const USED = 1

/**
 * Values by MAC address: open addressing over typed arrays, nothing allocated on look-up. An address is its
 * upper 16 and lower 32 bits, the latter signed; values are whole numbers from 0 to 2^31-1.
 */
export class MacTable {
  #capacity = 8
  #size = 0
  #state = new Uint8Array(8)
  #high = new Uint16Array(8)
  #low = new Int32Array(8)
  #value = new Int32Array(8)

  get size(): number {
    return this.#size
  }

  /** The value, or -1. */
  get(high: number, low: number): number {
    const slot = this.#find(high, low)
    return this.#state[slot] === EMPTY ? -1 : (this.#value[slot] as number)
  }

  set(high: number, low: number, value: number): void {
    let slot = this.#find(high, low)
    if (this.#state[slot] === EMPTY) {
      if (++this.#size * 2 > this.#capacity) {
        this.#grow()
        slot = this.#find(high, low)
      }
      this.#state[slot] = USED
      this.#high[slot] = high
      this.#low[slot] = low
    }
    this.#value[slot] = value
  }

  /** Whether it was there. */
  delete(high: number, low: number): boolean {
    let hole = this.#find(high, low)
    if (this.#state[hole] === EMPTY) return false
    const mask = this.#capacity - 1
    this.#size--
    for (let slot = (hole + 1) & mask; this.#state[slot] !== EMPTY; slot = (slot + 1) & mask) {
      const home = hash(this.#high[slot] as number, this.#low[slot] as number) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      this.#high[hole] = this.#high[slot] as number
      this.#low[hole] = this.#low[slot] as number
      this.#value[hole] = this.#value[slot] as number
      hole = slot
    }
    this.#state[hole] = EMPTY
    return true
  }

  #find(high: number, low: number): number {
    const mask = this.#capacity - 1
    let slot = hash(high, low) & mask
    while (this.#state[slot] !== EMPTY && (this.#low[slot] !== low || this.#high[slot] !== high)) {
      slot = (slot + 1) & mask
    }
    return slot
  }

  #grow(): void {
    const state = this.#state
    const high = this.#high
    const low = this.#low
    const value = this.#value
    this.#capacity *= 2
    this.#state = new Uint8Array(this.#capacity)
    this.#high = new Uint16Array(this.#capacity)
    this.#low = new Int32Array(this.#capacity)
    this.#value = new Int32Array(this.#capacity)
    for (let from = 0; from < state.length; from++) {
      if (state[from] === EMPTY) continue
      const slot = this.#find(high[from] as number, low[from] as number)
      this.#state[slot] = USED
      this.#high[slot] = high[from] as number
      this.#low[slot] = low[from] as number
      this.#value[slot] = value[from] as number
    }
  }
}

function hash(high: number, low: number): number {
  const h = Math.imul(low ^ (high << 7), 0x9e37_79b1)
  return h ^ (h >>> 15)
}
