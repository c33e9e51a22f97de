import { describe, expect, test } from 'vitest'
import { memoryStore, scoped, type WatchEvent } from './index.ts'
import { manualClock, storeContract } from './testing/index.ts'

describe('the memory store keeps the contract', () => {
  const cases = storeContract(async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    return {
      store,
      peer: store,
      advance: (ms) => clock.advance(ms),
      compact: async () => store.compact(),
      close: () => store.close(),
    }
  })
  for (const { name, run } of cases) test(name, run)
})

describe('the memory store', () => {
  test('gives a watcher that falls behind lag and one snapshot, and drops what waited for it', async () => {
    const store = memoryStore({ clock: manualClock(), history: 4 })
    const watch = store.watch('p/')
    await watch.next()
    for (let i = 0; i < 10; i++) await store.put('p/a', String(i))
    await store.put('p/b', 'late')
    expect((await watch.next()).value).toEqual({ kind: 'lag', reason: 'overrun' })
    // The snapshot is of the moment when it is taken, and what follows goes on from there.
    await store.put('p/c', 'later')
    const snapshot: WatchEvent = (await watch.next()).value
    expect(snapshot).toMatchObject({ kind: 'snapshot', revision: 12 })
    expect(snapshot.kind === 'snapshot' && snapshot.entries.map((entry) => entry.value)).toEqual([
      '9',
      'late',
      'later',
    ])
    const waiting = watch.next()
    await store.put('p/d', 'last')
    expect((await waiting).value).toMatchObject({ kind: 'changes', revision: 13 })
  })

  test('keeps as much history as it was told to', async () => {
    const store = memoryStore({ clock: manualClock(), history: 3 })
    for (let i = 1; i <= 10; i++) await store.put('p/a', String(i))
    expect((await store.watch('', { fromRevision: 8 }).next()).value).toMatchObject({
      kind: 'changes',
      revision: 8,
    })
    expect((await store.watch('', { fromRevision: 7 }).next()).value).toEqual({
      kind: 'lag',
      reason: 'compacted',
    })
  })

  test('ends leases of more than the 24.8 days that a timer can take, in time and not before', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const lease = await store.lease(60 * 86_400)
    await store.put('a', '1', { lease: lease.id })
    await clock.advance(60 * 86_400_000 - 1)
    expect(lease.lost.aborted).toBe(false)
    await clock.advance(1)
    expect(lease.lost.aborted).toBe(true)
    expect(await store.get('a')).toBeUndefined()
  })

  test('never asks a timer for more than it can take', async () => {
    const delays: number[] = []
    const clock = {
      now: () => 0,
      after: (delay: number, _callback: () => void, options?: { background?: boolean }) => {
        delays.push(delay)
        expect(options?.background).toBe(true)
        return { [Symbol.dispose]() {} }
      },
    }
    await memoryStore({ clock }).lease(9_000_000_000)
    expect(delays).toEqual([2 ** 31 - 1])
  })

  test('refuses a lease without a sensible time to live', async () => {
    const store = memoryStore({ clock: manualClock() })
    for (const ttl of [0, -1, 1.5, Number.NaN, 9_000_000_001]) {
      await expect(store.lease(ttl)).rejects.toThrow(RangeError)
    }
  })

  test('makes the same revisions and events of the same calls', async () => {
    const run = async () => {
      const store = memoryStore({ clock: manualClock() })
      const events: WatchEvent[] = []
      const watching = (async () => {
        for await (const event of store.watch('')) if (events.push(event) === 9) break
      })()
      const lease = await store.lease(1)
      await Promise.all(['c', 'a', 'b'].map((key) => store.put(key, key, { lease: lease.id })))
      await Promise.all([store.delete('a'), store.put('a', '2'), store.put('d', ''), lease.revoke()])
      await store.put('e', '')
      await watching
      return events
    }
    expect(await run()).toEqual(await run())
  })
})

describe('a scoped view', () => {
  test('cannot name anything outside its prefix, and leaves it alone', async () => {
    const store = memoryStore({ clock: manualClock() })
    await store.put('other', 'x')
    const view = scoped(store, 'net/a/')
    for (const key of ['../b', '..', '', '/other']) {
      await expect(view.get(key)).rejects.toMatchObject({ code: 'STORE_INVALID_KEY' })
    }
    await view.put('other', 'y')
    expect(await store.get('net/a/other')).toMatchObject({ value: 'y' })
    expect(await store.get('other')).toMatchObject({ value: 'x' })
  })

  test('that is closed leaves the store open and the keys of its leases until they run out', async () => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const view = scoped(store, 'net/a/')
    const lease = await view.lease(10)
    await view.put('k', '1', { lease: lease.id })
    await view.close()
    expect(await store.get('net/a/k')).toMatchObject({ value: '1' })
    await clock.advance(10_000)
    expect(await store.get('net/a/k')).toBeUndefined()
  })

  test('of a view is a view', async () => {
    const store = memoryStore({ clock: manualClock() })
    await scoped(scoped(store, 'a/'), 'b/').put('c', '1')
    expect((await store.list('')).entries.map((entry) => entry.key)).toEqual(['a/b/c'])
  })

  test('refuses the empty prefix', () => {
    expect(() => scoped(memoryStore({ clock: manualClock() }), '')).toThrow(RangeError)
  })
})
