import { wordMask } from './prefix.ts'

const CHUNK = 256

/** Values by exact IPv4 prefix: one map per length in use, the network's number as key. */
export class Ipv4PrefixTable {
  readonly #byLength: (Map<number, number> | undefined)[] = []
  size = 0

  get(network: number, length: number): number | undefined {
    return this.#byLength[length]?.get((network & wordMask(length)) >>> 0)
  }

  /** Whether the prefix is new. */
  set(network: number, length: number, value: number): boolean {
    let entries = this.#byLength[length]
    if (entries === undefined) {
      entries = new Map()
      this.#byLength[length] = entries
    }
    const before = entries.size
    entries.set((network & wordMask(length)) >>> 0, value)
    this.size += entries.size - before
    return entries.size !== before
  }

  delete(network: number, length: number): boolean {
    if (!this.#byLength[length]?.delete((network & wordMask(length)) >>> 0)) return false
    this.size--
    return true
  }

  /** The length of the longest prefix of at most `limit` bits that contains `address`; -1 for none. */
  longest(address: number, limit: number): number {
    for (let length = Math.min(limit, this.#byLength.length - 1); length >= 0; length--) {
      const entries = this.#byLength[length]
      if (entries !== undefined && entries.size > 0 && entries.has((address & wordMask(length)) >>> 0))
        return length
    }
    return -1
  }
}

/**
 * The expanded form of a prefix table, in strides of 16, 8 and 8 bits. A slot is 0 for nothing, `value + 1`
 * for a value, and negative, `~chunk`, where a chunk of 256 longer slots hangs below it.
 */
export class Ipv4Stride {
  readonly #root = new Int32Array(65536)
  #chunks = new Int32Array(4 * CHUNK)
  /** How many prefixes and chunks hang directly in each chunk; a chunk with none is given back. */
  readonly #members: number[] = []
  readonly #free: number[] = []
  readonly #prefixes: Ipv4PrefixTable

  constructor(prefixes: Ipv4PrefixTable) {
    this.#prefixes = prefixes
  }

  /** The slot of `address`: 0 for nothing, else value + 1. */
  lookup(address: number): number {
    let slot = this.#root[address >>> 16] as number
    if (slot < 0) {
      slot = this.#chunks[(~slot << 8) | ((address >>> 8) & 255)] as number
      if (slot < 0) slot = this.#chunks[(~slot << 8) | (address & 255)] as number
    }
    return slot
  }

  /** After the prefix was put into the prefix table. */
  add(network: number, length: number, slot: number, isNew: boolean): void {
    if (length <= 16) {
      this.#paintRoot(network, length, slot)
      return
    }
    const middle = this.#childOfRoot(network >>> 16)
    if (length <= 24) {
      if (isNew) this.#count(middle, 1)
      this.#paintChunk(middle, network, 16, length, slot)
      return
    }
    const leaf = this.#childOfChunk(middle, (network >>> 8) & 255)
    if (isNew) this.#count(leaf, 1)
    this.#paintChunk(leaf, network, 24, length, slot)
  }

  /** After the prefix was taken out of the prefix table; `slot` is what its addresses fall back to. */
  remove(network: number, length: number, slot: number): void {
    this.add(network, length, slot, false)
    if (length <= 16) return
    const middle = ~(this.#root[network >>> 16] as number)
    if (length > 24) {
      const at = (middle << 8) | ((network >>> 8) & 255)
      const leaf = ~(this.#chunks[at] as number)
      if (this.#count(leaf, -1) > 0) return
      this.#chunks[at] = this.#giveBack(leaf)
    }
    if (this.#count(middle, -1) === 0) this.#root[network >>> 16] = this.#giveBack(middle)
  }

  #paintRoot(network: number, length: number, slot: number): void {
    const start = (network & wordMask(length)) >>> 16
    const end = start + (1 << (16 - length))
    for (let i = start; i < end; i++) {
      const address = i << 16
      const old = this.#root[i] as number
      if (old < 0) this.#paintChunk(~old, address, 16, length, slot)
      else if (this.#prefixes.longest(address, 16) <= length) this.#root[i] = slot
    }
  }

  /** Paints what the chunk, reached by the first `depth` bits of `network`, has of the prefix. */
  #paintChunk(chunk: number, network: number, depth: number, length: number, slot: number): void {
    const shift = 24 - depth
    const from = length <= depth ? 0 : ((network & wordMask(length)) >>> shift) & 255
    const end = from + (length <= depth ? CHUNK : 1 << (depth + 8 - length))
    for (let i = from; i < end; i++) {
      const at = (chunk << 8) | i
      const address = (network & wordMask(depth)) | (i << shift)
      const old = this.#chunks[at] as number
      if (old < 0) this.#paintChunk(~old, address, depth + 8, length, slot)
      else if (this.#prefixes.longest(address, depth + 8) <= length) this.#chunks[at] = slot
    }
  }

  #childOfRoot(index: number): number {
    const old = this.#root[index] as number
    if (old < 0) return ~old
    const chunk = this.#allocate(old)
    this.#root[index] = ~chunk
    return chunk
  }

  #childOfChunk(parent: number, index: number): number {
    const at = (parent << 8) | index
    const old = this.#chunks[at] as number
    if (old < 0) return ~old
    const chunk = this.#allocate(old)
    this.#chunks[at] = ~chunk
    this.#count(parent, 1)
    return chunk
  }

  #count(chunk: number, by: number): number {
    const members = (this.#members[chunk] ?? 0) + by
    this.#members[chunk] = members
    return members
  }

  #allocate(slot: number): number {
    const chunk = this.#free.pop() ?? this.#members.length
    this.#members[chunk] = 0
    if ((chunk + 1) * CHUNK > this.#chunks.length) {
      const grown = new Int32Array(this.#chunks.length * 2)
      grown.set(this.#chunks)
      this.#chunks = grown
    }
    this.#chunks.fill(slot, chunk * CHUNK, (chunk + 1) * CHUNK)
    return chunk
  }

  /** Frees a chunk without members, whose slots are therefore all alike, and returns that slot. */
  #giveBack(chunk: number): number {
    this.#free.push(chunk)
    return this.#chunks[chunk << 8] as number
  }
}
