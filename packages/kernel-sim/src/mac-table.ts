/** Integers of an entry: upper half + 1 (0 where the place is empty), lower half, value. */
const ENTRY = 3

/**
 * Values by MAC address: open addressing over one typed array, nothing allocated on look-up. An address is its
 * upper 16 and lower 32 bits, the latter signed; values are whole numbers from 0 to 2^31-1.
 */
export class MacTable {
  #capacity = 8
  #size = 0
  #table = new Int32Array(8 * ENTRY)

  get size(): number {
    return this.#size
  }

  /** The value, or -1. */
  get(high: number, low: number): number {
    const at = this.#find(high, low)
    return this.#table[at] === 0 ? -1 : (this.#table[at + 2] as number)
  }

  set(high: number, low: number, value: number): void {
    let at = this.#find(high, low)
    if (this.#table[at] === 0) {
      if (++this.#size * 2 > this.#capacity) {
        this.#grow()
        at = this.#find(high, low)
      }
      this.#table[at] = high + 1
      this.#table[at + 1] = low
    }
    this.#table[at + 2] = value
  }

  /** Whether it was there. */
  delete(high: number, low: number): boolean {
    const table = this.#table
    const found = this.#find(high, low)
    if (table[found] === 0) return false
    const mask = this.#capacity - 1
    this.#size--
    let hole = found / ENTRY
    for (let slot = (hole + 1) & mask; table[slot * ENTRY] !== 0; slot = (slot + 1) & mask) {
      const at = slot * ENTRY
      const home = hash((table[at] as number) - 1, table[at + 1] as number) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      table.copyWithin(hole * ENTRY, at, at + ENTRY)
      hole = slot
    }
    table.fill(0, hole * ENTRY, (hole + 1) * ENTRY)
    return true
  }

  /** Where the entry is, or the empty place where it would go. */
  #find(high: number, low: number): number {
    const table = this.#table
    const mask = this.#capacity - 1
    let slot = hash(high, low) & mask
    for (;;) {
      const at = slot * ENTRY
      if (table[at] === 0 || (table[at + 1] === low && table[at] === high + 1)) return at
      slot = (slot + 1) & mask
    }
  }

  #grow(): void {
    const old = this.#table
    this.#capacity *= 2
    this.#table = new Int32Array(this.#capacity * ENTRY)
    for (let from = 0; from < old.length; from += ENTRY) {
      if (old[from] === 0) continue
      const at = this.#find((old[from] as number) - 1, old[from + 1] as number)
      this.#table.set(old.subarray(from, from + ENTRY), at)
    }
  }
}

function hash(high: number, low: number): number {
  const h = Math.imul(low ^ (high << 7), 0x9e37_79b1)
  return h ^ (h >>> 15)
}
