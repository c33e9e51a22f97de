import type { Store } from '@podfabric/store'

/** The same store, telling `damaged` when it found that its content cannot be read. */
export function tellingDamage(store: Store, damaged: () => void): Store {
  const told = <T>(result: Promise<T>): Promise<T> =>
    result.catch((error: unknown) => {
      if (isDamage(error)) damaged()
      throw error
    })
  return {
    get: (key) => told(store.get(key)),
    list: (prefix, options) => told(store.list(prefix, options)),
    put: (key, value, options) => told(store.put(key, value, options)),
    delete: (key, options) => told(store.delete(key, options)),
    txn: (transaction) => told(store.txn(transaction)),
    lease: (ttlSeconds) => told(store.lease(ttlSeconds)),
    watch: (prefix, options) => store.watch(prefix, options),
    close: () => store.close(),
  }
}

export function isDamage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'STORE_DAMAGED'
}
