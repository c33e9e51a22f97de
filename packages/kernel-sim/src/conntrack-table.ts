import { type Connection, status } from './conntrack-connection.ts'
import type { Tuple, TupleNode } from './conntrack-tuple.ts'

/** Buckets looked through for what has expired, for each connection that comes. */
const SWEEP = 4

/** The connections that were let through, found by either direction's numbers. What has expired is not found. */
export class ConntrackTable {
  #buckets: (TupleNode | undefined)[] = new Array(64).fill(undefined)
  #size = 0
  #swept = 0

  /** Connections, expired ones that nobody met included. */
  get size(): number {
    return this.#size
  }

  find(tuple: Tuple, now: number): TupleNode | undefined {
    const hash = tuple.hash()
    let node = this.#buckets[hash & (this.#buckets.length - 1)]
    for (; node !== undefined; node = node.next) {
      if (node.hashed !== hash || !node.equals(tuple)) continue
      if (node.connection.expires > now) return node
      this.delete(node.connection)
      return undefined
    }
    return undefined
  }

  /** Puts in a connection whose tuples are not there. */
  add(connection: Connection, now: number): void {
    this.#sweep(now)
    if (this.#size * 2 >= this.#buckets.length) this.#grow()
    connection.status |= status.confirmed
    this.#link(connection.original)
    this.#link(connection.reply)
    this.#size++
  }

  delete(connection: Connection): void {
    if (!connection.has(status.confirmed) || connection.has(status.dying)) return
    connection.status |= status.dying
    this.#unlink(connection.original)
    this.#unlink(connection.reply)
    this.#size--
  }

  /** In the order of their first packets. */
  all(now: number): Connection[] {
    const connections: Connection[] = []
    for (const first of this.#buckets) {
      for (let node = first; node !== undefined; node = node.next) {
        const { connection } = node
        if (node === connection.original && connection.expires > now) connections.push(connection)
      }
    }
    return connections.sort((a, b) => a.sequence - b.sequence)
  }

  #link(node: TupleNode): void {
    node.hashed = node.hash()
    const bucket = node.hashed & (this.#buckets.length - 1)
    node.next = this.#buckets[bucket]
    this.#buckets[bucket] = node
  }

  #unlink(node: TupleNode): void {
    const bucket = node.hashed & (this.#buckets.length - 1)
    let before = this.#buckets[bucket]
    if (before === node) {
      this.#buckets[bucket] = node.next
      return
    }
    while (before !== undefined && before.next !== node) before = before.next
    if (before !== undefined) before.next = node.next
  }

  #sweep(now: number): void {
    for (let i = 0; i < SWEEP; i++) {
      const first = this.#buckets[this.#swept++ & (this.#buckets.length - 1)]
      for (let node = first; node !== undefined; node = node.next) {
        if (node.connection.expires <= now) this.delete(node.connection)
      }
    }
  }

  #grow(): void {
    const before = this.#buckets
    this.#buckets = new Array(before.length * 2).fill(undefined)
    for (const first of before) {
      for (let node = first; node !== undefined; ) {
        const { next } = node
        const bucket = node.hashed & (this.#buckets.length - 1)
        node.next = this.#buckets[bucket]
        this.#buckets[bucket] = node
        node = next
      }
    }
  }
}
