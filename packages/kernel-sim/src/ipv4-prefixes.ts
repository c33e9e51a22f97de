/** Nothing matched. */
export const NO_MATCH = -1

/** Up to here the prefixes are a list that is scanned: most tables have a handful. */
const LIST_LIMIT = 12
/** Integers of an entry: network, length + 1 (0 where the place is empty), value. */
const ENTRY = 3

/**
 * Longest-prefix match over IPv4 addresses as signed numbers, sized by its prefixes: a simulation has a table for each
 * namespace of each node. A short list, longest first, or one open addressing table for all lengths, probed from the
 * longest in use. Look-ups allocate nothing.
 */
export class Ipv4Prefixes {
  #list: number[] | undefined = []
  #table = NO_TABLE
  #capacity = 0
  #size = 0
  /** Masks in use, longest first, and how many prefixes have each. */
  #masks: number[] = []
  #counts: number[] = []

  /** The value of the longest prefix that contains the address. */
  lookup(address: number): number {
    const list = this.#list
    if (list !== undefined) {
      for (let i = 0; i < list.length; i += ENTRY) {
        if (((address ^ (list[i] as number)) & (list[i + 1] as number)) === 0) return list[i + 2] as number
      }
      return NO_MATCH
    }
    const masks = this.#masks
    for (let i = 0; i < masks.length; i++) {
      const mask = masks[i] as number
      const at = this.#find(address & mask, mask)
      if (this.#table[at + 2] !== 0) return (this.#table[at + 2] as number) - 1
    }
    return NO_MATCH
  }

  /** The value of exactly this prefix. */
  get(network: number, length: number): number {
    const mask = maskOf(length)
    if (this.#list !== undefined) {
      const at = this.#findInList(network & mask, mask)
      return at < 0 ? NO_MATCH : (this.#list[at + 2] as number)
    }
    return (this.#table[this.#find(network & mask, mask) + 2] as number) - 1
  }

  /** Adds or replaces; values are 0 to 2^31-2. */
  set(network: number, length: number, value: number): void {
    const mask = maskOf(length)
    if (this.#list === undefined) return this.#setInTable(network & mask, mask, value)
    const at = this.#findInList(network & mask, mask)
    if (at >= 0) {
      this.#list[at + 2] = value
      return
    }
    let before = 0
    while (before < this.#list.length && (this.#list[before + 1] as number) >>> 0 > mask >>> 0)
      before += ENTRY
    this.#list.splice(before, 0, network & mask, mask, value)
    if (this.#list.length > ENTRY * LIST_LIMIT) this.#expand(this.#list)
  }

  delete(network: number, length: number): void {
    const mask = maskOf(length)
    if (this.#list !== undefined) {
      const at = this.#findInList(network & mask, mask)
      if (at >= 0) this.#list.splice(at, ENTRY)
      return
    }
    const at = this.#find(network & mask, mask)
    if (this.#table[at + 2] === 0) return
    this.#size--
    this.#count(mask, -1)
    this.#close(at)
  }

  #findInList(network: number, mask: number): number {
    const list = this.#list ?? []
    for (let i = 0; i < list.length; i += ENTRY) if (list[i] === network && list[i + 1] === mask) return i
    return -1
  }

  #expand(list: readonly number[]): void {
    this.#list = undefined
    this.#resize(64)
    for (let i = 0; i < list.length; i += ENTRY) {
      this.#setInTable(list[i] as number, list[i + 1] as number, list[i + 2] as number)
    }
  }

  #setInTable(network: number, mask: number, value: number): void {
    let at = this.#find(network, mask)
    if (this.#table[at + 2] === 0) {
      this.#count(mask, 1)
      if (++this.#size * 2 > this.#capacity) {
        this.#resize(2 * this.#capacity)
        at = this.#find(network, mask)
      }
      this.#table[at] = network
      this.#table[at + 1] = mask
    }
    this.#table[at + 2] = value + 1
  }

  #count(mask: number, by: 1 | -1): void {
    let at = this.#masks.indexOf(mask)
    if (at < 0) {
      at = this.#masks.findIndex((other) => other >>> 0 < mask >>> 0)
      if (at < 0) at = this.#masks.length
      this.#masks.splice(at, 0, mask)
      this.#counts.splice(at, 0, 0)
    }
    const count = (this.#counts[at] as number) + by
    this.#counts[at] = count
    if (count > 0) return
    this.#masks.splice(at, 1)
    this.#counts.splice(at, 1)
  }

  /** Where the entry is, or the empty place where it would go. */
  #find(network: number, mask: number): number {
    const table = this.#table
    const last = this.#capacity - 1
    let slot = hash(network, mask) & last
    for (;;) {
      const at = slot * ENTRY
      if (table[at + 2] === 0 || (table[at] === network && table[at + 1] === mask)) return at
      slot = (slot + 1) & last
    }
  }

  /** Empties a place, and moves later entries of its run back. */
  #close(at: number): void {
    const table = this.#table
    const last = this.#capacity - 1
    let hole = at / ENTRY
    for (let slot = (hole + 1) & last; table[slot * ENTRY + 2] !== 0; slot = (slot + 1) & last) {
      const home = hash(table[slot * ENTRY] as number, table[slot * ENTRY + 1] as number) & last
      if (((slot - home) & last) < ((slot - hole) & last)) continue
      table.copyWithin(hole * ENTRY, slot * ENTRY, (slot + 1) * ENTRY)
      hole = slot
    }
    table.fill(0, hole * ENTRY, (hole + 1) * ENTRY)
  }

  #resize(capacity: number): void {
    const old = this.#table
    this.#table = new Int32Array(capacity * ENTRY)
    this.#capacity = capacity
    for (let from = 0; from < old.length; from += ENTRY) {
      if (old[from + 2] === 0) continue
      const at = this.#find(old[from] as number, old[from + 1] as number)
      this.#table.set(old.subarray(from, from + ENTRY), at)
    }
  }
}

const NO_TABLE = new Int32Array(0)

/** Signed. */
function maskOf(length: number): number {
  return length === 0 ? 0 : -1 << (32 - length)
}

function hash(network: number, mask: number): number {
  const h = Math.imul(network ^ (mask >>> 7), 0x9e37_79b1)
  return h ^ (h >>> 16)
}
