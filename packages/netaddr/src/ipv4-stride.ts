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
  /** Beside each slot, the length of the prefix that it has its value from, plus 1; 0 for none. */
  readonly #rootOwners = new Uint8Array(65536)
  #chunkOwners = new Uint8Array(4 * CHUNK)
  /** How many prefixes and chunks hang directly in each chunk; a chunk with none is given back. */
  readonly #members: number[] = []
  readonly #free: number[] = []

  /** The slot of `address`: 0 for nothing, else value + 1. */
  lookup(address: number): number {
    let slot = this.#root[address >>> 16] as number
    if (slot < 0) {
      slot = this.#chunks[(~slot << 8) | ((address >>> 8) & 255)] as number
      if (slot < 0) slot = this.#chunks[(~slot << 8) | (address & 255)] as number
    }
    return slot
  }

  /** Adds a prefix that `isNew`, or gives it another slot. */
  set(network: number, length: number, slot: number, isNew: boolean): void {
    if (isNew && length > 16) this.#count(this.#chunkFor(network, length), 1)
    this.#paint(network, length, slot, length + 1)
  }

  /** Takes away a prefix that is there; its addresses fall back to the `slot` of the longest of `parentLength`, -1 for none. */
  delete(network: number, length: number, slot: number, parentLength: number): void {
    this.#paint(network, length, slot, parentLength + 1)
    if (length <= 16) return
    const middle = ~(this.#root[network >>> 16] as number)
    if (length > 24) {
      const at = (middle << 8) | ((network >>> 8) & 255)
      const leaf = ~(this.#chunks[at] as number)
      if (this.#count(leaf, -1) > 0) return
      this.#chunks[at] = this.#chunks[leaf << 8] as number
      this.#chunkOwners[at] = this.#chunkOwners[leaf << 8] as number
      this.#free.push(leaf)
    }
    if (this.#count(middle, -1) > 0) return
    this.#root[network >>> 16] = this.#chunks[middle << 8] as number
    this.#rootOwners[network >>> 16] = this.#chunkOwners[middle << 8] as number
    this.#free.push(middle)
  }

  /** Gives the slot to every address of the prefix that has none of a longer prefix. */
  #paint(network: number, length: number, slot: number, owner: number): void {
    if (length > 16) {
      const depth = length > 24 ? 24 : 16
      const from = ((network & wordMask(length)) >>> (24 - depth)) & 255
      this.#paintChunk(this.#chunkFor(network, length), from, 1 << (depth + 8 - length), length, slot, owner)
      return
    }
    const start = (network & wordMask(length)) >>> 16
    const end = start + (1 << (16 - length))
    for (let i = start; i < end; i++) {
      const old = this.#root[i] as number
      if (old < 0) {
        this.#paintChunk(~old, 0, CHUNK, length, slot, owner)
      } else if ((this.#rootOwners[i] as number) <= length + 1) {
        this.#root[i] = slot
        this.#rootOwners[i] = owner
      }
    }
  }

  #paintChunk(chunk: number, from: number, count: number, length: number, slot: number, owner: number): void {
    const start = (chunk << 8) | from
    for (let at = start; at < start + count; at++) {
      const old = this.#chunks[at] as number
      if (old < 0) {
        this.#paintChunk(~old, 0, CHUNK, length, slot, owner)
      } else if ((this.#chunkOwners[at] as number) <= length + 1) {
        this.#chunks[at] = slot
        this.#chunkOwners[at] = owner
      }
    }
  }

  /** The chunk whose slots a prefix longer than 16 bits has a part of; made where it is missing. */
  #chunkFor(network: number, length: number): number {
    const index = network >>> 16
    let slot = this.#root[index] as number
    if (slot >= 0) {
      slot = ~this.#allocate(slot, this.#rootOwners[index] as number)
      this.#root[index] = slot
    }
    const middle = ~slot
    if (length <= 24) return middle
    const at = (middle << 8) | ((network >>> 8) & 255)
    let below = this.#chunks[at] as number
    if (below >= 0) {
      below = ~this.#allocate(below, this.#chunkOwners[at] as number)
      this.#chunks[at] = below
      this.#count(middle, 1)
    }
    return ~below
  }

  #count(chunk: number, by: number): number {
    const members = (this.#members[chunk] ?? 0) + by
    this.#members[chunk] = members
    return members
  }

  #allocate(slot: number, owner: number): number {
    const chunk = this.#free.pop() ?? this.#members.length
    this.#members[chunk] = 0
    if ((chunk + 1) * CHUNK > this.#chunks.length) this.#grow()
    this.#chunks.fill(slot, chunk * CHUNK, (chunk + 1) * CHUNK)
    this.#chunkOwners.fill(owner, chunk * CHUNK, (chunk + 1) * CHUNK)
    return chunk
  }

  #grow(): void {
    const chunks = new Int32Array(this.#chunks.length * 2)
    const owners = new Uint8Array(chunks.length)
    chunks.set(this.#chunks)
    owners.set(this.#chunkOwners)
    this.#chunks = chunks
    this.#chunkOwners = owners
  }
}
