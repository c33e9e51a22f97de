import { describe, expect, test } from 'vitest'
import { type Entry, memoryStore, type Store, StoreError, type WatchEvent } from '../index.ts'
import { manualClock, storeContract } from './index.ts'

/** Stores that break one rule each. A contract that lets one of them pass is not a contract. */
const broken: Record<string, (store: Store) => Partial<Store>> = {
  'ignores ifRevision on put': (store) => ({
    put: (key, value, options) =>
      store.put(key, value, options?.lease === undefined ? {} : { lease: options.lease }),
  }),
  'ignores ifRevision on delete': (store) => ({ delete: (key) => store.delete(key) }),
  'ignores comparisons': (store) => ({ txn: (transaction) => store.txn({ ...transaction, compare: [] }) }),
  'does a transaction in several revisions': (store) => ({
    txn: async (transaction) => {
      const { compare, success, failure = [] } = transaction
      const { succeeded } = await store.txn({ compare, success: [], failure: [] })
      const outcomes = []
      for (const operation of succeeded ? success : failure) {
        outcomes.push(await store.txn({ compare: [], success: [operation] }))
      }
      const revision = outcomes.at(-1)?.revision ?? (await store.list('')).revision
      return { succeeded, revision, results: outcomes.flatMap((outcome) => outcome.results) }
    },
  }),
  'lists in no order': (store) => ({
    list: async (prefix, options) => {
      const { revision, entries } = await store.list(prefix, options)
      return { revision, entries: [...entries].reverse() }
    },
  }),
  'forgets limits': (store) => ({ list: (prefix) => store.list(prefix) }),
  'compares prefixes by character': (store) => ({
    list: async (prefix) => {
      const { revision, entries } = await store.list('')
      return { revision, entries: entries.filter((entry) => entry.key.startsWith(prefix.replace(/\/$/, ''))) }
    },
  }),
  'keeps the revision that created a key over its deletion': (store) => {
    const first = new Map<string, number>()
    return {
      put: async (key, value, options) => {
        const entry = await store.put(key, value, options)
        if (!first.has(key)) first.set(key, entry.createRevision)
        return { ...entry, createRevision: first.get(key) ?? 0 }
      },
    }
  },
  'resumes a watch one revision late': (store) => ({
    watch: (prefix, options) => {
      if (options?.fromRevision === undefined) return store.watch(prefix, options)
      return store.watch(prefix, { ...options, fromRevision: options.fromRevision + 1 })
    },
  }),
  'begins a watch without what is there': (store) => ({
    watch: (prefix, options) =>
      mapEvents(store.watch(prefix, options), (event) =>
        event.kind === 'snapshot' ? { ...event, entries: [] } : event,
      ),
  }),
  'loses the second change of a revision': (store) => ({
    watch: (prefix, options) =>
      mapEvents(store.watch(prefix, options), (event) =>
        event.kind === 'changes' ? { ...event, changes: event.changes.slice(0, 1) } : event,
      ),
  }),
  'never says what was there before': (store) => ({
    watch: (prefix, options) =>
      mapEvents(store.watch(prefix, options), (event) =>
        event.kind === 'changes'
          ? {
              ...event,
              changes: event.changes.map((change) =>
                change.type === 'put' ? { type: 'put', key: change.key, entry: change.entry } : change,
              ),
            }
          : event,
      ),
  }),
  'takes any key': (store) => ({ get: async (key) => (key === '' ? undefined : store.get(key)) }),
  'cuts values at a NUL': (store) => ({
    get: async (key) => cut(await store.get(key)),
  }),
  'has no leases': (store) => ({
    put: (key, value, { lease: _, ...options } = {}) => store.put(key, value, options),
  }),
  'lets a dead lease be used': (store) => ({
    put: async (key, value, options = {}) => {
      try {
        return await store.put(key, value, options)
      } catch (error) {
        if (error instanceof StoreError && error.code === 'STORE_LEASE_LOST') return store.put(key, value)
        throw error
      }
    },
  }),
  'says of every lease that it is lost': (store) => ({
    lease: async (ttlSeconds) => {
      const lease = await store.lease(ttlSeconds)
      return { ...lease, lost: AbortSignal.abort(new Error('lost')) }
    },
  }),
  'stays open': () => ({ close: async () => {} }),
}

describe('the contract catches a store that', () => {
  for (const [defect, breakIt] of Object.entries(broken)) {
    test(defect, async () => {
      expect(await anyFails(breakIt)).toBe(true)
    })
  }
})

test('the contract lets a store pass that only hands on', async () => {
  expect(await anyFails(() => ({}))).toBe(false)
})

async function anyFails(breakIt: (store: Store) => Partial<Store>): Promise<boolean> {
  const cases = storeContract(async () => {
    const clock = manualClock()
    const memory = memoryStore({ clock })
    const store: Store = { ...handOn(memory), ...breakIt(memory) }
    return {
      store,
      peer: store,
      advance: (ms) => clock.advance(ms),
      compact: async () => memory.compact(),
      close: () => memory.close(),
    }
  })
  for (const { run } of cases.slice(0, cases.length / 2)) {
    try {
      await run()
    } catch {
      return true
    }
  }
  return false
}

function handOn(store: Store): Store {
  return {
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    put: (key, value, options) => store.put(key, value, options),
    delete: (key, options) => store.delete(key, options),
    txn: (transaction) => store.txn(transaction),
    lease: (ttlSeconds) => store.lease(ttlSeconds),
    watch: (prefix, options) => store.watch(prefix, options),
    close: () => store.close(),
  }
}

function cut(entry: Entry | undefined): Entry | undefined {
  return entry && { ...entry, value: entry.value.replace(/\0.*/s, '') }
}

async function* mapEvents(
  watch: AsyncIterableIterator<WatchEvent>,
  map: (event: WatchEvent) => WatchEvent,
): AsyncGenerator<WatchEvent, undefined> {
  for await (const event of watch) yield map(event)
}
