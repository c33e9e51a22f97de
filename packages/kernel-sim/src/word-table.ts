const EMPTY = 0
const USED = 1
const DELETED = 2

/** Values by keys of a number of words of 32 bits. Finding, adding and deleting cost the same however many there are. */
export class WordTable<Value> {
  readonly #width: number
  #keys: Uint32Array
  #states = new Uint8Array(8)
  #values: (Value | undefined)[] = new Array(8).fill(undefined)
  #size = 0
  /** Places that were used once. */
  #taken = 0

  constructor(width: number) {
    this.#width = width
    this.#keys = new Uint32Array(8 * width)
  }

  get size(): number {
    return this.#size
  }

  /** Where the key in `words` is; -1 where it is not there. Good until the next change. */
  find(words: Uint32Array): number {
    const mask = this.#states.length - 1
    for (let at = this.#hash(words) & mask; ; at = (at + 1) & mask) {
      const state = this.#states[at]
      if (state === EMPTY) return -1
      if (state === USED && this.#isAt(at, words)) return at
    }
  }

  valueAt(place: number): Value {
    return this.#values[place] as Value
  }

  /** Adds a key that is not there. */
  add(words: Uint32Array, value: Value): void {
    if ((this.#taken + 1) * 2 > this.#states.length) this.#resize()
    this.#put(words, value)
  }

  /** Takes out what is at a place that `find` gave. */
  deleteAt(place: number): void {
    this.#states[place] = DELETED
    this.#values[place] = undefined
    this.#size--
  }

  clear(): void {
    this.#states.fill(EMPTY)
    this.#values.fill(undefined)
    this.#size = 0
    this.#taken = 0
  }

  /** Copies of the keys with their values, in no order. */
  entries(): { readonly words: Uint32Array; readonly value: Value }[] {
    const entries: { readonly words: Uint32Array; readonly value: Value }[] = []
    const width = this.#width
    for (let at = 0; at < this.#states.length; at++) {
      if (this.#states[at] !== USED) continue
      entries.push({ words: this.#keys.slice(at * width, (at + 1) * width), value: this.valueAt(at) })
    }
    return entries
  }

  #put(words: Uint32Array, value: Value): void {
    const mask = this.#states.length - 1
    let at = this.#hash(words) & mask
    while (this.#states[at] === USED) at = (at + 1) & mask
    if (this.#states[at] === EMPTY) this.#taken++
    this.#states[at] = USED
    this.#values[at] = value
    this.#keys.set(words, at * this.#width)
    this.#size++
  }

  #isAt(place: number, words: Uint32Array): boolean {
    const from = place * this.#width
    for (let i = 0; i < this.#width; i++) if (this.#keys[from + i] !== words[i]) return false
    return true
  }

  #hash(words: Uint32Array): number {
    let hash = 0x9e37_79b1
    for (let i = 0; i < this.#width; i++) {
      hash = Math.imul(hash ^ (words[i] as number), 0x85eb_ca6b)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash, 0xc2b2_ae35)
    return (hash ^ (hash >>> 16)) >>> 0
  }

  #resize(): void {
    const before = this.entries()
    let places = 8
    while (places < (before.length + 1) * 4) places *= 2
    this.#states = new Uint8Array(places)
    this.#values = new Array(places).fill(undefined)
    this.#keys = new Uint32Array(places * this.#width)
    this.#size = 0
    this.#taken = 0
    for (const { words, value } of before) this.#put(words, value)
  }
}
