import { Ipv4PrefixTable, Ipv4Stride } from './ipv4-stride.ts'
import { checkLpmLength, checkLpmValue, NO_ROUTE } from './lpm.ts'
import { wordMask } from './prefix.ts'

/** Up to here a table is a short list that is scanned; a pod's own table never needs more. */
const LIST_LIMIT = 16

/**
 * Longest-prefix match over IPv4 addresses as 32-bit numbers. Values are small non-negative integers, indices
 * into the caller's own table. A lookup allocates nothing. Up to 16 prefixes are kept as a list, longest
 * first, in a few hundred octets; more are expanded in strides of 16, 8 and 8 bits (at most three reads per
 * lookup), in 320 kB plus 1.3 kB for each /16 and each /24 that has longer prefixes below it.
 */
export class Ipv4Lpm {
  /** Triples of network, mask and value, longest prefix first. */
  #list: number[] = []
  #table: { readonly prefixes: Ipv4PrefixTable; readonly stride: Ipv4Stride } | undefined

  get size(): number {
    return this.#table === undefined ? this.#list.length / 3 : this.#table.prefixes.size
  }

  /** The value of the longest prefix containing `address` (signed or unsigned), or `NO_ROUTE`. */
  lookup(address: number): number {
    if (this.#table !== undefined) return this.#table.stride.lookup(address) - 1
    const list = this.#list
    for (let i = 0; i < list.length; i += 3) {
      if (((address ^ (list[i] as number)) & (list[i + 1] as number)) === 0) return list[i + 2] as number
    }
    return NO_ROUTE
  }

  /** Adds or replaces. Bits of `network` beyond `length` are ignored. `RangeError` for a bad length or value. */
  set(network: number, length: number, value: number): void {
    checkLpmLength(length, 32)
    checkLpmValue(value)
    if (this.#table === undefined) this.#setInList(network, length, value)
    else this.#setInTable(network, length, value)
  }

  /** The value of exactly this prefix, or `NO_ROUTE`. */
  get(network: number, length: number): number {
    if (this.#table !== undefined) return this.#table.prefixes.get(network, length) ?? NO_ROUTE
    const at = this.#findInList(network, length)
    return at < 0 ? NO_ROUTE : (this.#list[at + 2] as number)
  }

  /** Whether the prefix was there. */
  delete(network: number, length: number): boolean {
    checkLpmLength(length, 32)
    if (this.#table === undefined) {
      const at = this.#findInList(network, length)
      if (at >= 0) this.#list.splice(at, 3)
      return at >= 0
    }
    const { prefixes, stride } = this.#table
    if (!prefixes.delete(network, length)) return false
    const parent = prefixes.longest(network, length)
    stride.delete(network, length, parent < 0 ? 0 : (prefixes.get(network, parent) ?? NO_ROUTE) + 1, parent)
    return true
  }

  #findInList(network: number, length: number): number {
    const mask = wordMask(length)
    const list = this.#list
    for (let i = 0; i < list.length; i += 3) {
      if (list[i + 1] === mask && list[i] === (network & mask)) return i
    }
    return -1
  }

  #setInList(network: number, length: number, value: number): void {
    const at = this.#findInList(network, length)
    if (at >= 0) {
      this.#list[at + 2] = value
      return
    }
    const mask = wordMask(length)
    let before = 0
    while (before < this.#list.length && (this.#list[before + 1] as number) >>> 0 > mask >>> 0) before += 3
    this.#list.splice(before, 0, network & mask, mask, value)
    if (this.#list.length > 3 * LIST_LIMIT) this.#expand()
  }

  #setInTable(network: number, length: number, value: number): void {
    const table = this.#table
    if (table === undefined) return
    table.stride.set(network, length, value + 1, table.prefixes.set(network, length, value))
  }

  #expand(): void {
    const list = this.#list
    const prefixes = new Ipv4PrefixTable()
    this.#table = { prefixes, stride: new Ipv4Stride() }
    this.#list = []
    for (let i = 0; i < list.length; i += 3) {
      const mask = list[i + 1] as number
      this.#setInTable(list[i] as number, mask === 0 ? 0 : Math.clz32(~mask), list[i + 2] as number)
    }
  }
}
