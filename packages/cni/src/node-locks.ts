import { SharedLock } from './locks.ts'

/**
 * Locks by name among everything that hosts plugins on one node, whichever process it is in. A process that dies lets go of what
 * it holds. Whoever waits too long is refused with CNI_TRY_AGAIN_LATER. Not reentrant.
 */
export interface NodeLocks {
  /** Works while nobody else holds the name. An aborted signal ends the waiting with its reason. */
  exclusive<T>(name: string, work: () => Promise<T>, options?: LockOptions): Promise<T>
  /** Works while nobody holds the name exclusively. */
  shared<T>(name: string, work: () => Promise<T>): Promise<T>
}

export interface LockOptions {
  readonly signal?: AbortSignal | undefined
}

/** The locks of a node on which this process alone hosts plugins. */
export function processLocks(): NodeLocks {
  const held = new Map<string, { readonly lock: SharedLock; users: number }>()

  const using = async <T>(name: string, work: (lock: SharedLock) => Promise<T>): Promise<T> => {
    const entry = held.get(name) ?? { lock: new SharedLock(), users: 0 }
    held.set(name, entry)
    entry.users += 1
    try {
      return await work(entry.lock)
    } finally {
      entry.users -= 1
      if (entry.users === 0) held.delete(name)
    }
  }

  return {
    exclusive: (name, work, { signal } = {}) =>
      using(name, (lock) =>
        lock.exclusive(async () => {
          signal?.throwIfAborted()
          return work()
        }),
      ),
    shared: (name, work) => using(name, (lock) => lock.shared(work)),
  }
}

/** The same locks, every name with `prefix` before it. */
export function locksUnder(locks: NodeLocks, prefix: string): NodeLocks {
  return {
    exclusive: (name, work, options) => locks.exclusive(prefix + name, work, options),
    shared: (name, work) => locks.shared(prefix + name, work),
  }
}
