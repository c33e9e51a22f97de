/** Most positions that a map can have. */
export const maxFreeMapSize = 2 ** 30

const pageBits = 15
const pageSize = 2 ** pageBits
const middle = 1024
const top = middle + 32

/**
 * Which of `size` positions are free, as a hierarchical bitmap: a bit for each position, a bit for each word that
 * has a free position, and so on, 32 to one. The next free position is found in a handful of steps, however many
 * there are and however full it is. Memory is used only around positions that are taken.
 */
export class FreeMap {
  readonly size: number
  /** A page of 2^15 positions exists while one of them is taken; the last page always does. */
  readonly #pages: (Page | undefined)[]
  /** A free bit for every page that has a free position. */
  readonly #pagesWithFree: Page
  #taken = 0

  /** All positions free. `size` from 0 to `maxFreeMapSize`. */
  constructor(size: number) {
    if (!Number.isInteger(size) || size < 0 || size > maxFreeMapSize) {
      throw new RangeError(`a free map has 0 to ${maxFreeMapSize} positions, not ${size}`)
    }
    this.size = size
    const pages = Math.ceil(size / pageSize)
    this.#pages = new Array(pages)
    if (pages > 0) this.#pages[pages - 1] = new Page(size - (pages - 1) * pageSize)
    this.#pagesWithFree = new Page(pages)
  }

  /** How many positions are taken. */
  get taken(): number {
    return this.#taken
  }

  /** Takes a position; false when it was taken already. */
  take(position: number): boolean {
    const at = this.#pageOf(position)
    const page = this.#pages[at] ?? new Page(pageSize)
    this.#pages[at] = page
    if (!page.clear(position & (pageSize - 1))) return false
    if (page.free === 0) this.#pagesWithFree.clear(at)
    this.#taken++
    return true
  }

  /** Frees a position; false when it was free already. */
  release(position: number): boolean {
    const at = this.#pageOf(position)
    const page = this.#pages[at]
    if (page === undefined || !page.set(position & (pageSize - 1))) return false
    this.#pagesWithFree.set(at)
    this.#taken--
    if (page.free === pageSize && at < this.#pages.length - 1) this.#pages[at] = undefined
    return true
  }

  isTaken(position: number): boolean {
    const page = this.#pages[this.#pageOf(position)]
    return page !== undefined && !page.has(position & (pageSize - 1))
  }

  /** The lowest free position from `from` on, or else the lowest of all; -1 when none is free. */
  nextFree(from: number): number {
    if (this.#taken === this.size) return -1
    const position = from < this.size ? this.#nextFree(from) : -1
    return position < 0 && from > 0 ? this.#nextFree(0) : position
  }

  #nextFree(from: number): number {
    const at = from >>> pageBits
    const within = from & (pageSize - 1)
    const page = this.#pages[at]
    const found = page === undefined ? within : page.next(within)
    if (found >= 0) return at * pageSize + found
    const later = at + 1 < this.#pages.length ? this.#pagesWithFree.next(at + 1) : -1
    if (later < 0) return -1
    return later * pageSize + (this.#pages[later]?.next(0) ?? 0)
  }

  #pageOf(position: number): number {
    if (!(position >= 0 && position < this.size)) {
      throw new RangeError(`position ${position} is outside a map of ${this.size}`)
    }
    return position >>> pageBits
  }
}

/** Up to 2^15 bits with two levels of summary, all in one array; a set bit is free. */
class Page {
  readonly #words = new Uint32Array(top + 1)
  /** How many bits are set. */
  free: number

  constructor(size: number) {
    this.free = size
    const words = this.#words
    fill(words, 0, size)
    fill(words, middle, Math.ceil(size / 32))
    fill(words, top, Math.ceil(size / 1024))
  }

  has(bit: number): boolean {
    return (((this.#words[bit >>> 5] ?? 0) >>> (bit & 31)) & 1) === 1
  }

  /** Clears a bit; false when it was clear. */
  clear(bit: number): boolean {
    if (!this.has(bit)) return false
    this.free--
    if (this.#clearIn(bit >>> 5, bit & 31) !== 0) return true
    if (this.#clearIn(middle + (bit >>> 10), (bit >>> 5) & 31) === 0) this.#clearIn(top, bit >>> 10)
    return true
  }

  /** Sets a bit; false when it was set. */
  set(bit: number): boolean {
    if (this.has(bit)) return false
    const words = this.#words
    this.free++
    words[bit >>> 5] = (words[bit >>> 5] ?? 0) | (1 << (bit & 31))
    words[middle + (bit >>> 10)] = (words[middle + (bit >>> 10)] ?? 0) | (1 << ((bit >>> 5) & 31))
    words[top] = (words[top] ?? 0) | (1 << (bit >>> 10))
    return true
  }

  /** The lowest set bit from `from` on, or -1. */
  next(from: number): number {
    const words = this.#words
    const word = from >>> 5
    const here = (words[word] ?? 0) & (-1 << (from & 31))
    if (here !== 0) return word * 32 + lowest(here)
    const block = word >>> 5
    const near = (words[middle + block] ?? 0) & after(word & 31)
    if (near !== 0) return this.#lowestIn(block * 32 + lowest(near))
    const far = (words[top] ?? 0) & after(block)
    if (far === 0) return -1
    const next = lowest(far)
    return this.#lowestIn(next * 32 + lowest(words[middle + next] ?? 0))
  }

  /** Clears a bit of a word and returns what is left of it. */
  #clearIn(word: number, bit: number): number {
    const left = (this.#words[word] ?? 0) & ~(1 << bit)
    this.#words[word] = left
    return left
  }

  #lowestIn(word: number): number {
    return word * 32 + lowest(this.#words[word] ?? 0)
  }
}

/** The index of the lowest set bit of a word that is not zero. */
function lowest(word: number): number {
  return 31 - Math.clz32(word & -word)
}

/** A mask of the bits above `bit`. */
function after(bit: number): number {
  return bit === 31 ? 0 : -1 << (bit + 1)
}

/** Sets the first `count` bits from `words[at]` on. */
function fill(words: Uint32Array, at: number, count: number): void {
  words.fill(0xffff_ffff, at, at + (count >>> 5))
  if ((count & 31) !== 0) words[at + (count >>> 5)] = 2 ** (count & 31) - 1
}
