import { type Store, StoreError, type WatchEvent } from '@podfabric/store'

/** A store that can be out of reach, and whose watches can fall behind. */
export interface LossyStore extends Store {
  available: boolean
  /** Every watch says that it is behind. */
  lag(): void
  /** Every watch says that it is not any more. */
  catchUp(): void
}

export function lossyStore(inner: Store): LossyStore {
  const told = new Set<(event: WatchEvent) => void>()
  let revision = 0
  let available = true

  async function reached<T>(work: () => Promise<T>): Promise<T> {
    if (!available) throw new StoreError('STORE_UNAVAILABLE', 'the store is out of reach')
    return work()
  }

  async function* watch(...args: Parameters<Store['watch']>): AsyncGenerator<WatchEvent> {
    const extra: WatchEvent[] = []
    let wake = Promise.withResolvers<void>()
    const tell = (event: WatchEvent) => {
      extra.push(event)
      wake.resolve()
    }
    told.add(tell)
    const events = inner.watch(...args)
    let next = events.next()
    try {
      for (;;) {
        await Promise.race([next, wake.promise])
        if (extra.length > 0) {
          wake = Promise.withResolvers<void>()
          yield* extra.splice(0)
          continue
        }
        const { done, value } = await next
        if (done) return
        if (value.kind !== 'lag') revision = value.revision
        next = events.next()
        yield value
      }
    } finally {
      told.delete(tell)
      await events.return?.()
    }
  }

  return {
    get available() {
      return available
    },
    set available(value) {
      available = value
    },
    lag() {
      for (const tell of told) tell({ kind: 'lag', reason: 'disconnected' })
    },
    catchUp() {
      for (const tell of told) tell({ kind: 'changes', revision, changes: [] })
    },
    get: (key) => reached(() => inner.get(key)),
    list: (prefix, options) => reached(() => inner.list(prefix, options)),
    put: (key, value, options) => reached(() => inner.put(key, value, options)),
    delete: (key, options) => reached(() => inner.delete(key, options)),
    txn: (transaction) => reached(() => inner.txn(transaction)),
    async lease(ttlSeconds) {
      const lease = await reached(() => inner.lease(ttlSeconds))
      return {
        ...lease,
        lost: lease.lost,
        keepAlive: () => reached(() => lease.keepAlive()),
        revoke: () => lease.revoke(),
      }
    },
    watch,
    close: () => inner.close(),
  }
}
