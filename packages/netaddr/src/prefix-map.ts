import { type Ip, isV4 } from './ip.ts'
import { mask, type Prefix, prefixFamily, prefixLength } from './prefix.ts'

/**
 * Values by prefix, found by longest match. For tables that people change: it keeps canonical strings and
 * looks up one map per length in use. Packet paths use `Ipv4Lpm` and `Ipv6Lpm`.
 */
export class PrefixMap<V> implements Iterable<[Prefix, V]> {
  readonly #values = new Map<Prefix, V>()
  /** How many prefixes of each length there are, by family; lookups try only lengths in use. */
  readonly #counts = { 4: new Uint32Array(33), 6: new Uint32Array(129) }

  constructor(entries: Iterable<readonly [Prefix, V]> = []) {
    for (const [prefix, value] of entries) this.set(prefix, value)
  }

  get size(): number {
    return this.#values.size
  }

  set(prefix: Prefix, value: V): this {
    if (!this.#values.has(prefix)) this.#count(prefix, 1)
    this.#values.set(prefix, value)
    return this
  }

  /** Whether the prefix was there. */
  delete(prefix: Prefix): boolean {
    if (!this.#values.delete(prefix)) return false
    this.#count(prefix, -1)
    return true
  }

  #count(prefix: Prefix, by: number): void {
    const counts = this.#counts[prefixFamily(prefix)]
    const length = prefixLength(prefix)
    counts[length] = (counts[length] ?? 0) + by
  }

  /** The value of exactly this prefix. */
  get(prefix: Prefix): V | undefined {
    return this.#values.get(prefix)
  }

  has(prefix: Prefix): boolean {
    return this.#values.has(prefix)
  }

  /** The entry with the longest prefix that contains `ip`. */
  match(ip: Ip): { readonly prefix: Prefix; readonly value: V } | undefined {
    for (const found of this.matches(ip)) return found
    return undefined
  }

  /** The value of the longest prefix that contains `ip`. */
  lookup(ip: Ip): V | undefined {
    return this.match(ip)?.value
  }

  /** Every entry whose prefix contains `ip`, longest first. */
  *matches(ip: Ip): Generator<{ readonly prefix: Prefix; readonly value: V }> {
    const counts = this.#counts[isV4(ip) ? 4 : 6]
    for (let length = counts.length - 1; length >= 0; length--) {
      if (counts[length] === 0) continue
      const prefix = `${mask(ip, length)}/${length}` as Prefix
      const value = this.#values.get(prefix)
      if (value !== undefined || this.#values.has(prefix)) yield { prefix, value: value as V }
    }
  }

  /** In order of insertion. */
  [Symbol.iterator](): IterableIterator<[Prefix, V]> {
    return this.#values.entries()
  }
}
