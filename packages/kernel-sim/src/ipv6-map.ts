import { Ipv6Lpm, NO_ROUTE } from '@podfabric/netaddr'

const WHOLE = 128

/** Values by IPv6 address as four words. A look-up allocates nothing. */
export class Ipv6Map<V> {
  readonly #places = new Ipv6Lpm()
  readonly #values: (V | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#places.size
  }

  get(words: Uint32Array): V | undefined {
    const at = this.#places.lookupWords(words)
    return at === NO_ROUTE ? undefined : this.#values[at]
  }

  set(words: Uint32Array, value: V): void {
    let at = this.#places.lookupWords(words)
    if (at === NO_ROUTE) {
      at = this.#free.pop() ?? this.#values.length
      this.#places.set(words, WHOLE, at)
    }
    this.#values[at] = value
  }

  delete(words: Uint32Array): void {
    const at = this.#places.lookupWords(words)
    if (at === NO_ROUTE) return
    this.#places.delete(words, WHOLE)
    this.#values[at] = undefined
    this.#free.push(at)
  }

  *values(): Iterable<V> {
    for (const value of this.#values) if (value !== undefined) yield value
  }
}
