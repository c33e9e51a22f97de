/**
 * A set of numbers of 32 bits or, in four words each, of 128, as sorted intervals that do not overlap. Both ends
 * belong to an interval.
 */
export class IntervalTable {
  /** Words of a number: 1 or 4. */
  readonly width: 1 | 4
  #first: Uint32Array
  #last: Uint32Array
  #count = 0

  constructor(width: 1 | 4) {
    this.width = width
    this.#first = new Uint32Array(4 * width)
    this.#last = new Uint32Array(4 * width)
  }

  get size(): number {
    return this.#count
  }

  /** The ends of the interval at `index`, in order of the numbers. */
  at(index: number): Interval {
    const { width } = this
    const from = index * width
    return { first: this.#first.slice(from, from + width), last: this.#last.slice(from, from + width) }
  }

  /** Whether the 32-bit number is in an interval. */
  has(number: number): boolean {
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#first[middle] as number) <= number) low = middle + 1
      else high = middle
    }
    return low > 0 && number <= (this.#last[low - 1] as number)
  }

  /** The index of the interval that the number in `words` is in; -1 for none. */
  find(words: Uint32Array): number {
    const index = this.#upTo(words, 0) - 1
    return index >= 0 && compareWords(words, 0, this.#last, index * this.width, this.width) <= 0 ? index : -1
  }

  /** Whether the number in the words at `words[offset]` is in an interval. */
  hasWords(words: Uint32Array, offset: number): boolean {
    const index = this.#upTo(words, offset) - 1
    return index >= 0 && compareWords(words, offset, this.#last, index * this.width, this.width) <= 0
  }

  /** How the interval relates to those in the table. */
  relation(interval: Interval): 'new' | 'same' | 'overlapping' {
    const index = this.#upTo(interval.last, 0) - 1
    if (index < 0) return 'new'
    const from = index * this.width
    if (compareWords(this.#last, from, interval.first, 0, this.width) < 0) return 'new'
    return this.#isAt(index, interval) ? 'same' : 'overlapping'
  }

  /** Adds an interval whose relation is `new`. */
  add(interval: Interval): void {
    const { width } = this
    const at = this.#upTo(interval.first, 0) * width
    const used = this.#count * width
    if (used + width > this.#first.length) this.#grow()
    for (const [table, words] of [
      [this.#first, interval.first],
      [this.#last, interval.last],
    ] as const) {
      table.copyWithin(at + width, at, used)
      table.set(words, at)
    }
    this.#count++
  }

  /** Takes exactly this interval out; false where it is not there. */
  delete(interval: Interval): boolean {
    const { width } = this
    const index = this.#upTo(interval.first, 0) - 1
    if (index < 0 || !this.#isAt(index, interval)) return false
    const at = index * width
    const used = this.#count * width
    this.#first.copyWithin(at, at + width, used)
    this.#last.copyWithin(at, at + width, used)
    this.#count--
    return true
  }

  clear(): void {
    this.#count = 0
  }

  #isAt(index: number, interval: Interval): boolean {
    const from = index * this.width
    return (
      compareWords(this.#first, from, interval.first, 0, this.width) === 0 &&
      compareWords(this.#last, from, interval.last, 0, this.width) === 0
    )
  }

  /** How many intervals begin at the number or before. */
  #upTo(words: Uint32Array, offset: number): number {
    const { width } = this
    let low = 0
    let high = this.#count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareWords(this.#first, middle * width, words, offset, width) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }

  #grow(): void {
    for (const name of ['first', 'last'] as const) {
      const before = name === 'first' ? this.#first : this.#last
      const larger = new Uint32Array(before.length * 2)
      larger.set(before)
      if (name === 'first') this.#first = larger
      else this.#last = larger
    }
  }
}

/** From `first` to `last`, both included; as many words as the table's numbers have. */
export interface Interval {
  readonly first: Uint32Array
  readonly last: Uint32Array
}

export function compareWords(
  a: Uint32Array,
  aAt: number,
  b: Uint32Array,
  bAt: number,
  width: number,
): number {
  for (let i = 0; i < width; i++) {
    const x = a[aAt + i] as number
    const y = b[bAt + i] as number
    if (x !== y) return x < y ? -1 : 1
  }
  return 0
}

/** The intervals in order, those that overlap made one. */
export function mergedIntervals(width: 1 | 4, intervals: readonly Interval[]): IntervalTable {
  const table = new IntervalTable(width)
  const sorted = [...intervals].sort((a, b) => compareWords(a.first, 0, b.first, 0, width))
  let open: { first: Uint32Array; last: Uint32Array } | undefined
  for (const { first, last } of sorted) {
    if (open !== undefined && compareWords(first, 0, open.last, 0, width) <= 0) {
      if (compareWords(open.last, 0, last, 0, width) < 0) open.last = last
      continue
    }
    if (open !== undefined) table.add(open)
    open = { first, last }
  }
  if (open !== undefined) table.add(open)
  return table
}
