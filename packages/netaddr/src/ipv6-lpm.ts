import { checkLpmLength, checkLpmValue, NO_ROUTE } from './lpm.ts'
import { wordMask } from './prefix.ts'

/** Words of one table entry: four of the network, the length + 1 (0 is empty), the value. */
const ENTRY = 6

/**
 * Longest-prefix match over IPv6 addresses as four unsigned 32-bit words, most significant first. One open
 * addressing table for all lengths, probed from the longest length in use; lookups allocate nothing. Values
 * are small non-negative integers, indices into the caller's own table.
 */
export class Ipv6Lpm {
  #table = new Uint32Array(16 * ENTRY)
  #capacity = 16
  #size = 0
  readonly #counts = new Uint32Array(129)
  /** Lengths in use, longest first. */
  #lengths: number[] = []

  get size(): number {
    return this.#size
  }

  /** The value of the longest prefix containing the address of these four words, or `NO_ROUTE`. */
  lookup(a: number, b: number, c: number, d: number): number {
    const lengths = this.#lengths
    for (let i = 0; i < lengths.length; i++) {
      const length = lengths[i] as number
      const at = this.#find(
        (a & wordMask(length)) >>> 0,
        (b & wordMask(length - 32)) >>> 0,
        (c & wordMask(length - 64)) >>> 0,
        (d & wordMask(length - 96)) >>> 0,
        length,
      )
      if (this.#table[at + 4] !== 0) return this.#table[at + 5] as number
    }
    return NO_ROUTE
  }

  /** As `lookup`, with the words at `words[offset]`. */
  lookupWords(words: Uint32Array, offset = 0): number {
    return this.lookup(
      words[offset] as number,
      words[offset + 1] as number,
      words[offset + 2] as number,
      words[offset + 3] as number,
    )
  }

  /** Adds or replaces. Bits beyond `length` are ignored. `RangeError` for a bad length or value. */
  set(words: Uint32Array, length: number, value: number): void {
    checkLpmLength(length, 128)
    checkLpmValue(value)
    const at = this.#findMasked(words, length)
    if (this.#table[at + 4] !== 0) {
      this.#table[at + 5] = value
      return
    }
    for (let w = 0; w < 4; w++) this.#table[at + w] = ((words[w] ?? 0) & wordMask(length - 32 * w)) >>> 0
    this.#table[at + 4] = length + 1
    this.#table[at + 5] = value
    this.#size++
    this.#count(length, 1)
    if (this.#size * 2 > this.#capacity) this.#grow()
  }

  /** The value of exactly this prefix, or `NO_ROUTE`. */
  get(words: Uint32Array, length: number): number {
    const at = this.#findMasked(words, length)
    return this.#table[at + 4] === 0 ? NO_ROUTE : (this.#table[at + 5] as number)
  }

  /** Whether the prefix was there. */
  delete(words: Uint32Array, length: number): boolean {
    const at = this.#findMasked(words, length)
    if (this.#table[at + 4] === 0) return false
    this.#size--
    this.#count(length, -1)
    this.#close(at / ENTRY)
    return true
  }

  #count(length: number, by: number): void {
    const before = this.#counts[length] ?? 0
    this.#counts[length] = before + by
    if (before !== 0 && before + by !== 0) return
    this.#lengths = []
    for (let l = 128; l >= 0; l--) if (this.#counts[l] !== 0) this.#lengths.push(l)
  }

  #findMasked(words: Uint32Array, length: number): number {
    return this.#find(
      ((words[0] ?? 0) & wordMask(length)) >>> 0,
      ((words[1] ?? 0) & wordMask(length - 32)) >>> 0,
      ((words[2] ?? 0) & wordMask(length - 64)) >>> 0,
      ((words[3] ?? 0) & wordMask(length - 96)) >>> 0,
      length,
    )
  }

  /** Where the entry is, or the empty place where it would go. */
  #find(a: number, b: number, c: number, d: number, length: number): number {
    const table = this.#table
    const mask = this.#capacity - 1
    let slot = hash(a, b, c, d, length) & mask
    for (;;) {
      const at = slot * ENTRY
      const tag = table[at + 4] as number
      if (tag === 0) return at
      if (
        tag === length + 1 &&
        table[at] === a &&
        table[at + 1] === b &&
        table[at + 2] === c &&
        table[at + 3] === d
      ) {
        return at
      }
      slot = (slot + 1) & mask
    }
  }

  /** Empties a place and moves later entries of its run back, so that no probe ends too early. */
  #close(hole: number): void {
    const table = this.#table
    const mask = this.#capacity - 1
    let slot = hole
    for (;;) {
      slot = (slot + 1) & mask
      const at = slot * ENTRY
      if (table[at + 4] === 0) break
      const home = this.#homeOf(at) & mask
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      table.copyWithin(hole * ENTRY, at, at + ENTRY)
      hole = slot
    }
    table.fill(0, hole * ENTRY, (hole + 1) * ENTRY)
  }

  #homeOf(at: number): number {
    const t = this.#table
    return hash(
      t[at] as number,
      t[at + 1] as number,
      t[at + 2] as number,
      t[at + 3] as number,
      (t[at + 4] as number) - 1,
    )
  }

  #grow(): void {
    const old = this.#table
    this.#capacity *= 2
    this.#table = new Uint32Array(this.#capacity * ENTRY)
    for (let from = 0; from < old.length; from += ENTRY) {
      if (old[from + 4] === 0) continue
      const at = this.#find(
        old[from] as number,
        old[from + 1] as number,
        old[from + 2] as number,
        old[from + 3] as number,
        (old[from + 4] as number) - 1,
      )
      this.#table.set(old.subarray(from, from + ENTRY), at)
    }
  }
}

function hash(a: number, b: number, c: number, d: number, length: number): number {
  let h = Math.imul(a ^ (length * 0x9e37), 0x85eb_ca6b)
  h = Math.imul((h ^ (h >>> 15)) + b, 0xc2b2_ae35)
  h = Math.imul((h ^ (h >>> 13)) + c, 0x27d4_eb2f)
  h = Math.imul((h ^ (h >>> 16)) + d, 0x1656_67b1)
  return h ^ (h >>> 15)
}
