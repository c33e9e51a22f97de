import type { Clock } from './clock.ts'
import { checkRevision, holds } from './condition.ts'
import { History } from './history.ts'
import { parseKey, parsePrefix } from './key.ts'
import { parseListOptions } from './list-options.ts'
import { MemoryLeases } from './memory-lease.ts'
import { SortedKeys } from './sorted-keys.ts'
import type {
  Change,
  DeleteOptions,
  Entry,
  EntryList,
  Lease,
  LeaseId,
  ListOptions,
  Operation,
  OperationResult,
  PutOptions,
  Store,
  Transaction,
  TransactionResult,
  WatchEvent,
  WatchOptions,
} from './store.ts'
import { StoreError } from './store-error.ts'
import { parseFromRevision, parseRevision, parseTransaction } from './transaction.ts'
import { parseValue } from './value.ts'
import { type Beginning, WatchQueue } from './watch-queue.ts'
import { eventUnder, WatchRegistry } from './watch-registry.ts'

/** What a memory store needs and how much it remembers. */
export interface MemoryStoreOptions {
  /** Ends leases. Its timers are background timers. */
  readonly clock: Clock
  /**
   * How many of the latest revisions are kept for watches that resume, and how many events may wait for one
   * watcher before it gets `lag` and a snapshot instead. At least 1. Default 4096.
   */
  readonly history?: number
}

/** A store in this process's memory: nothing survives it. */
export interface MemoryStore extends Store {
  /** Forgets the history up to and including `revision`, default all: watches that would resume there get `compacted`. */
  compact(revision?: number): void
}

/**
 * A store in memory. Each call takes effect at once, in the order of the calls, before it returns its promise, so that
 * the same calls always make the same revisions and events.
 */
export function memoryStore(options: MemoryStoreOptions): MemoryStore {
  const limit = options.history ?? 4096
  if (!Number.isInteger(limit) || limit < 1)
    throw new RangeError(`history is a whole number from 1, not ${limit}`)
  return new Memory(options.clock, limit)
}

class Memory implements MemoryStore {
  readonly #limit: number
  readonly #history: History
  readonly #leases: MemoryLeases
  readonly #entries = new Map<string, Entry>()
  readonly #keys = new SortedKeys()
  readonly #watches = new WatchRegistry()
  #revision = 0
  #closed: StoreError | undefined

  constructor(clock: Clock, limit: number) {
    this.#limit = limit
    this.#history = new History(limit)
    this.#leases = new MemoryLeases(clock, (keys) => {
      this.#apply(keys.map((key) => ({ type: 'delete', key })))
    })
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#checkOpen()
    return this.#entries.get(parseKey(key))
  }

  async list(prefix: string, options: ListOptions = {}): Promise<EntryList> {
    this.#checkOpen()
    parsePrefix(prefix)
    const { limit, after } = parseListOptions(options)
    return { revision: this.#revision, entries: this.#under(prefix, limit, after) }
  }

  async put(key: string, value: string, options: PutOptions = {}): Promise<Entry> {
    this.#checkOpen()
    parseKey(key)
    parseValue(key, value)
    checkRevision(key, this.#entries.get(key), options.ifRevision)
    if (options.lease !== undefined) this.#leases.require(options.lease)
    const revision = this.#revision + 1
    const changes: Change[] = []
    const entry = this.#put(key, value, options.lease, revision, changes)
    this.#commit(revision, changes)
    return entry
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    this.#checkOpen()
    parseKey(key)
    checkRevision(key, this.#entries.get(key), options.ifRevision)
    const revision = this.#revision + 1
    const changes: Change[] = []
    const previous = this.#delete(key, changes)
    this.#commit(revision, changes)
    return previous !== undefined
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    this.#checkOpen()
    parseTransaction(transaction)
    const succeeded = transaction.compare.every((compare) => holds(compare, this.#entries.get(compare.key)))
    const operations = succeeded ? transaction.success : (transaction.failure ?? [])
    for (const operation of operations) {
      if (operation.type === 'put' && operation.lease !== undefined) this.#leases.require(operation.lease)
    }
    const results = this.#apply(operations)
    return { succeeded, revision: this.#revision, results }
  }

  async lease(ttlSeconds: number): Promise<Lease> {
    this.#checkOpen()
    return this.#leases.grant(ttlSeconds)
  }

  watch(prefix: string, options: WatchOptions = {}): AsyncIterableIterator<WatchEvent> {
    const source = {
      begin: (watch: WatchQueue) => this.#begin(watch, options.fromRevision),
      snapshot: (): WatchEvent => ({
        kind: 'snapshot',
        revision: this.#revision,
        entries: this.#under(prefix),
      }),
      end: (watch: WatchQueue) => this.#watches.delete(watch),
    }
    return new WatchQueue(prefix, source, this.#limit, options.signal)
  }

  compact(revision = this.#revision): void {
    this.#checkOpen()
    this.#history.compact(Math.min(parseRevision(revision), this.#revision))
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return
    const error = new StoreError('STORE_CLOSED', 'the store is closed')
    this.#closed = error
    this.#leases.close(error)
    this.#watches.fail(error)
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw this.#closed
  }

  #under(prefix: string, limit = Number.POSITIVE_INFINITY, after?: string): Entry[] {
    const entries: Entry[] = []
    for (const key of this.#keys.from(after !== undefined && after > prefix ? after : prefix)) {
      if (!key.startsWith(prefix) || entries.length >= limit) break
      const entry = key === after ? undefined : this.#entries.get(key)
      if (entry !== undefined) entries.push(entry)
    }
    return entries
  }

  #apply(operations: readonly Operation[]): OperationResult[] {
    const revision = this.#revision + 1
    const changes: Change[] = []
    const results = operations.map((operation): OperationResult => {
      const { type, key } = operation
      if (type === 'get') return { type, entry: this.#entries.get(key) }
      if (type === 'delete') return { type, previous: this.#delete(key, changes) }
      return { type, entry: this.#put(key, operation.value, operation.lease, revision, changes) }
    })
    this.#commit(revision, changes)
    return results
  }

  #put(key: string, value: string, lease: LeaseId | undefined, revision: number, changes: Change[]): Entry {
    const previous = this.#entries.get(key)
    const createRevision = previous?.createRevision ?? revision
    const entry: Entry =
      lease === undefined
        ? { key, value, createRevision, revision }
        : { key, value, createRevision, revision, lease }
    if (previous === undefined) this.#keys.add(key)
    else if (previous.lease !== undefined) this.#leases.detach(previous.lease, key)
    if (lease !== undefined) this.#leases.attach(lease, key)
    this.#entries.set(key, entry)
    changes.push(previous === undefined ? { type: 'put', key, entry } : { type: 'put', key, entry, previous })
    return entry
  }

  #delete(key: string, changes: Change[]): Entry | undefined {
    const previous = this.#entries.get(key)
    if (previous === undefined) return undefined
    this.#entries.delete(key)
    this.#keys.delete(key)
    if (previous.lease !== undefined) this.#leases.detach(previous.lease, key)
    changes.push({ type: 'delete', key, previous })
    return previous
  }

  #commit(revision: number, changes: readonly Change[]): void {
    if (changes.length === 0) return
    this.#revision = revision
    this.#history.append({ revision, changes })
    this.#watches.publish(revision, changes)
  }

  #begin(watch: WatchQueue, fromRevision: number | undefined): Beginning {
    this.#checkOpen()
    parsePrefix(watch.prefix)
    parseFromRevision(fromRevision)
    this.#watches.add(watch)
    if (fromRevision === undefined) return { snapshot: true }
    if (fromRevision > this.#revision + 1) return { snapshot: true, lag: 'unknown-revision' }
    const commits = this.#history.from(fromRevision)
    if (commits === undefined) return { snapshot: true, lag: 'compacted' }
    return {
      changes: commits.flatMap(({ revision, changes }) => eventUnder(watch.prefix, revision, changes)),
    }
  }
}
