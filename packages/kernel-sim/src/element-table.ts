import { compareWords, type Interval, IntervalTable } from './interval-table.ts'
import { WordTable } from './word-table.ts'

/** The elements of a set or map. What belongs to an element is its value; of a set, undefined. */
export interface ElementTable<Value> {
  readonly size: number
  /** Where the element is that the words of a packet's key belong to; -1 for none. Good until the next change. */
  find(words: Uint32Array): number
  valueAt(place: number): Value
  /** Where exactly this element is; `overlapping` for one that has some of its keys; -1 for none. */
  placeOf(interval: Interval): number | 'overlapping'
  /** Adds what `placeOf` does not find. */
  add(interval: Interval, value: Value): void
  deleteAt(place: number): void
  clear(): void
  /** In order of the keys. */
  entries(): Entry<Value>[]
}

export interface Entry<Value> {
  readonly interval: Interval
  readonly value: Value
}

/** `fields`: the words of each field of a key. */
export function elementTable<Value>(fields: readonly (1 | 4)[], intervals: boolean): ElementTable<Value> {
  const [only] = fields
  if (!intervals) return new SingleKeys(fields.reduce<number>((sum, width) => sum + width, 0))
  return fields.length === 1 && only !== undefined ? new Intervals(only) : new Ranges(fields)
}

class SingleKeys<Value> implements ElementTable<Value> {
  readonly #table: WordTable<Value>
  readonly #width: number

  constructor(width: number) {
    this.#table = new WordTable(width)
    this.#width = width
  }

  get size(): number {
    return this.#table.size
  }

  find(words: Uint32Array): number {
    return this.#table.find(words)
  }

  valueAt(place: number): Value {
    return this.#table.valueAt(place)
  }

  placeOf({ first }: Interval): number {
    return this.#table.find(first)
  }

  add({ first }: Interval, value: Value): void {
    this.#table.add(first, value)
  }

  deleteAt(place: number): void {
    this.#table.deleteAt(place)
  }

  clear(): void {
    this.#table.clear()
  }

  entries(): Entry<Value>[] {
    return this.#table
      .entries()
      .sort((a, b) => compareWords(a.words, 0, b.words, 0, this.#width))
      .map(({ words, value }) => ({ interval: { first: words, last: words }, value }))
  }
}

class Intervals<Value> implements ElementTable<Value> {
  readonly #table: IntervalTable
  readonly #values: Value[] = []

  constructor(width: 1 | 4) {
    this.#table = new IntervalTable(width)
  }

  get size(): number {
    return this.#table.size
  }

  find(words: Uint32Array): number {
    return this.#table.find(words)
  }

  valueAt(place: number): Value {
    return this.#values[place] as Value
  }

  placeOf(interval: Interval): number | 'overlapping' {
    const relation = this.#table.relation(interval)
    if (relation === 'overlapping') return relation
    return relation === 'same' ? this.#table.find(interval.first) : -1
  }

  add(interval: Interval, value: Value): void {
    this.#table.add(interval)
    this.#values.splice(this.#table.find(interval.first), 0, value)
  }

  deleteAt(place: number): void {
    this.#table.delete(this.#table.at(place))
    this.#values.splice(place, 1)
  }

  clear(): void {
    this.#table.clear()
    this.#values.length = 0
  }

  entries(): Entry<Value>[] {
    return this.#values.map((value, i) => ({ interval: this.#table.at(i), value }))
  }
}

/**
 * Concatenations with prefixes and ranges, looked through one after the other, as Linux' own do it for each bit. The one
 * that was added first is found where several have a key: only their first and last keys must not be another's.
 */
class Ranges<Value> implements ElementTable<Value> {
  readonly #fields: readonly (1 | 4)[]
  readonly #entries: Entry<Value>[] = []

  constructor(fields: readonly (1 | 4)[]) {
    this.#fields = fields
  }

  get size(): number {
    return this.#entries.length
  }

  find(words: Uint32Array): number {
    const entries = this.#entries
    for (let i = 0; i < entries.length; i++)
      if (this.#holds((entries[i] as Entry<Value>).interval, words)) return i
    return -1
  }

  valueAt(place: number): Value {
    return (this.#entries[place] as Entry<Value>).value
  }

  placeOf(interval: Interval): number | 'overlapping' {
    const { first, last } = interval
    const { length } = first
    const same = this.#entries.findIndex(
      ({ interval: one }) =>
        compareWords(one.first, 0, first, 0, length) === 0 &&
        compareWords(one.last, 0, last, 0, length) === 0,
    )
    if (same >= 0) return same
    return this.find(first) >= 0 || this.find(last) >= 0 ? 'overlapping' : -1
  }

  add(interval: Interval, value: Value): void {
    this.#entries.push({ interval, value })
  }

  deleteAt(place: number): void {
    this.#entries.splice(place, 1)
  }

  clear(): void {
    this.#entries.length = 0
  }

  entries(): Entry<Value>[] {
    return this.#entries.toSorted(
      ({ interval: a }, { interval: b }) =>
        compareWords(a.first, 0, b.first, 0, a.first.length) ||
        compareWords(a.last, 0, b.last, 0, a.last.length),
    )
  }

  #holds({ first, last }: Interval, words: Uint32Array): boolean {
    let at = 0
    for (let i = 0; i < this.#fields.length; i++) {
      const width = this.#fields[i] as number
      if (compareWords(first, at, words, at, width) > 0 || compareWords(words, at, last, at, width) > 0)
        return false
      at += width
    }
    return true
  }
}
