const SMALLEST = 2048
const NONE = new Uint8Array(0)

/**
 * Octets in order of a stream, up to a limit, in a ring that grows as it fills. Octets may be put ahead of
 * the end, to become part of the content when what lies between has come.
 */
export class ByteRing {
  /** The most octets that it holds, those put ahead included. */
  readonly limit: number
  /** How many octets the content has. */
  length = 0
  #bytes = NONE
  #head = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get space(): number {
    return this.limit - this.length
  }

  /** Adds `bytes[start, end)` to the content. There must be space. */
  append(bytes: Uint8Array, start: number, end: number): void {
    this.put(this.length, bytes, start, end)
    this.extend(end - start)
  }

  /** Writes `bytes[start, end)` at `offset` from the content's begin, without making it content. */
  put(offset: number, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start
    if (offset + size > this.limit) throw new RangeError(`${offset + size} octets do not fit ${this.limit}`)
    if (size === 0) return
    this.#reserve(offset + size)
    const capacity = this.#bytes.length
    const at = (this.#head + offset) & (capacity - 1)
    const first = Math.min(size, capacity - at)
    this.#bytes.set(bytes.subarray(start, start + first), at)
    if (first < size) this.#bytes.set(bytes.subarray(start + first, end), 0)
  }

  /** Makes the `octets` after the content part of it; they have been put there. */
  extend(octets: number): void {
    this.length += octets
  }

  /** Copies `octets` from `offset` to `target[at]`. */
  copy(offset: number, octets: number, target: Uint8Array, at: number): void {
    if (octets === 0) return
    const capacity = this.#bytes.length
    const from = (this.#head + offset) & (capacity - 1)
    const first = Math.min(octets, capacity - from)
    target.set(this.#bytes.subarray(from, from + first), at)
    if (first < octets) target.set(this.#bytes.subarray(0, octets - first), at + first)
  }

  /** Forgets the first `octets` of the content. */
  skip(octets: number): void {
    this.#head = (this.#head + octets) & Math.max(this.#bytes.length - 1, 0)
    this.length -= octets
  }

  /** Forgets everything, and gives the memory back. */
  clear(): void {
    this.#bytes = NONE
    this.#head = 0
    this.length = 0
  }

  #reserve(octets: number): void {
    const before = this.#bytes
    if (octets <= before.length) return
    let capacity = Math.max(before.length, SMALLEST)
    while (capacity < octets) capacity *= 2
    const bytes = new Uint8Array(capacity)
    bytes.set(before.subarray(this.#head), 0)
    bytes.set(before.subarray(0, this.#head), before.length - this.#head)
    this.#bytes = bytes
    this.#head = 0
  }
}
