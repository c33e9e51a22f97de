import { parseKey, parsePrefix } from './key.ts'
import type {
  Change,
  Entry,
  Lease,
  ListOptions,
  Operation,
  OperationResult,
  Store,
  Transaction,
  WatchEvent,
  WatchOptions,
} from './store.ts'
import { StoreError } from './store-error.ts'

/**
 * The part of a store under `prefix` (not empty, ending in `/`), as a store of its own: its keys are relative to the
 * prefix, and nothing outside can be named. Revisions and leases are those of the whole store; the longest key
 * is shorter by the prefix. Closing the view ends what was begun through it and leaves the store open.
 */
export function scoped(store: Store, prefix: string): Store {
  if (parsePrefix(prefix) === '') throw new RangeError('the prefix of a scoped store must not be empty')
  const closing = new AbortController()
  const checkOpen = () => {
    if (closing.signal.aborted) throw closing.signal.reason
  }
  const inner = (key: string) => prefix + parseKey(key)

  return {
    async get(key) {
      checkOpen()
      const entry = await store.get(inner(key))
      return entry && outer(prefix, entry)
    },
    async list(under, options = {}) {
      checkOpen()
      const { after, ...rest } = options
      const innerOptions: ListOptions = after === undefined ? rest : { ...rest, after: inner(after) }
      const { revision, entries } = await store.list(prefix + parsePrefix(under), innerOptions)
      return { revision, entries: entries.map((entry) => outer(prefix, entry)) }
    },
    async put(key, value, options) {
      checkOpen()
      return outer(prefix, await store.put(inner(key), value, options))
    },
    async delete(key, options) {
      checkOpen()
      return store.delete(inner(key), options)
    },
    async txn(transaction) {
      checkOpen()
      const { succeeded, revision, results } = await store.txn(innerTransaction(transaction, inner))
      return { succeeded, revision, results: results.map((result) => outerResult(prefix, result)) }
    },
    async lease(ttlSeconds) {
      checkOpen()
      return scopedLease(await store.lease(ttlSeconds), closing.signal)
    },
    watch(under, options = {}) {
      return scopedWatch(store, prefix, under, options, closing.signal)
    },
    async close() {
      if (!closing.signal.aborted)
        closing.abort(new StoreError('STORE_CLOSED', `the store's view ${prefix} is closed`))
    },
  }
}

function outer(prefix: string, entry: Entry): Entry {
  return { ...entry, key: entry.key.slice(prefix.length) }
}

function innerTransaction(transaction: Transaction, inner: (key: string) => string): Transaction {
  const move = (operation: Operation): Operation => ({ ...operation, key: inner(operation.key) })
  const moved = {
    compare: transaction.compare.map((compare) => ({ ...compare, key: inner(compare.key) })),
    success: transaction.success.map(move),
  }
  return transaction.failure === undefined ? moved : { ...moved, failure: transaction.failure.map(move) }
}

function outerResult(prefix: string, result: OperationResult): OperationResult {
  if (result.type === 'put') return { type: 'put', entry: outer(prefix, result.entry) }
  if (result.type === 'get') return { type: 'get', entry: result.entry && outer(prefix, result.entry) }
  return { type: 'delete', previous: result.previous && outer(prefix, result.previous) }
}

function outerChange(prefix: string, change: Change): Change {
  const key = change.key.slice(prefix.length)
  if (change.type === 'delete') return { type: 'delete', key, previous: outer(prefix, change.previous) }
  const entry = outer(prefix, change.entry)
  if (change.previous === undefined) return { type: 'put', key, entry }
  return { type: 'put', key, entry, previous: outer(prefix, change.previous) }
}

function outerEvent(prefix: string, event: WatchEvent): WatchEvent {
  if (event.kind === 'lag') return event
  if (event.kind === 'changes') {
    return { ...event, changes: event.changes.map((change) => outerChange(prefix, change)) }
  }
  return { ...event, entries: event.entries.map((entry) => outer(prefix, entry)) }
}

function scopedLease(lease: Lease, closed: AbortSignal): Lease {
  const whileOpen = async (call: () => Promise<void>) => {
    if (closed.aborted) throw closed.reason
    return call()
  }
  return {
    id: lease.id,
    ttlSeconds: lease.ttlSeconds,
    lost: AbortSignal.any([lease.lost, closed]),
    keepAlive: () => whileOpen(() => lease.keepAlive()),
    revoke: () => whileOpen(() => lease.revoke()),
  }
}

function scopedWatch(
  store: Store,
  prefix: string,
  under: string,
  options: WatchOptions,
  closed: AbortSignal,
): AsyncIterableIterator<WatchEvent> {
  const signal = options.signal === undefined ? closed : AbortSignal.any([options.signal, closed])
  let watch: AsyncIterableIterator<WatchEvent> | undefined
  let ended = false

  return {
    async next() {
      if (ended) return { done: true, value: undefined }
      // The view's own end comes out of the inner watch as an ordinary one.
      const endOrThrow = (): IteratorReturnResult<undefined> => {
        ended = true
        if (closed.aborted && !options.signal?.aborted) throw closed.reason
        return { done: true, value: undefined }
      }
      if (signal.aborted) return endOrThrow()
      watch ??= store.watch(prefix + parsePrefix(under), { ...options, signal })
      const result = await watch.next()
      if (ended) return { done: true, value: undefined }
      return result.done ? endOrThrow() : { done: false, value: outerEvent(prefix, result.value) }
    },
    async return() {
      ended = true
      await watch?.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
