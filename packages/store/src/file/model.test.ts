import { rmSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStore, type Operation, type Store } from '../index.ts'
import { manualClock } from '../testing/index.ts'
import { temporaryPath } from './fixtures/folder.ts'
import { fileStore } from './index.ts'

const key = fc.constantFrom('a', 'p/a', 'p/b', 'p/c/d', 'pq')
const value = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc.constantFrom('', 'a\0b', 'x'.repeat(9000)),
)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value }),
  fc.record({ type: fc.constant('delete' as const), key }),
  fc.record({ type: fc.constant('get' as const), key }),
)
const step = fc.oneof(
  fc.record({
    do: fc.constant('put' as const),
    key,
    value,
    ifRevision: fc.option(fc.nat(12), { nil: undefined }),
  }),
  fc.record({ do: fc.constant('delete' as const), key }),
  fc.record({
    do: fc.constant('txn' as const),
    compare: fc.array(fc.record({ key, exists: fc.boolean() }), { maxLength: 2 }),
    success: fc.uniqueArray(operation, { maxLength: 4, selector: (each) => each.key }),
  }),
  fc.record({
    do: fc.constant('list' as const),
    prefix: fc.constantFrom('', 'p/', 'p/c/'),
    limit: fc.integer({ min: 1, max: 4 }),
  }),
  fc.record({ do: fc.constant('reopen' as const) }),
)

test('the file store, opened anew at any time, does what the memory store does', async () => {
  const path = temporaryPath()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      for (const part of ['', '-wal', '-shm', '-lock', '-revision']) rmSync(path + part, { force: true })
      const clock = manualClock()
      const model = memoryStore({ clock })
      let store = await fileStore({ path, clock })
      try {
        for (const each of steps) {
          if (each.do === 'reopen') {
            await store.close()
            store = await fileStore({ path, clock })
            continue
          }
          const call = async (on: Store): Promise<unknown> => {
            if (each.do === 'delete') return on.delete(each.key)
            if (each.do === 'list') return on.list(each.prefix, { limit: each.limit })
            if (each.do === 'txn') return on.txn(each)
            const { ifRevision } = each
            return on.put(each.key, each.value, ifRevision === undefined ? {} : { ifRevision })
          }
          expect(await outcome(call(store))).toEqual(await outcome(call(model)))
        }
        expect(await store.list('')).toEqual(await model.list(''))
        const { revision } = await model.list('')
        for (let from = 1; from <= revision; from++) {
          const first = async (on: Store) => {
            const watch = on.watch('', { fromRevision: from })
            const { value: event } = await watch.next()
            await watch.return?.()
            return event
          }
          expect(await first(store)).toEqual(await first(model))
        }
      } finally {
        await store.close()
      }
    }),
    { numRuns: 60 },
  )
}, 60_000)

async function outcome(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: unknown) => (error instanceof Error && 'code' in error ? error.code : error))
}

test('history stays bounded while writes go on', async () => {
  const path = temporaryPath()
  const store = await fileStore({ path, clock: manualClock(), history: 10 })
  const slow = store.watch('')
  await slow.next()
  for (let n = 0; n < 300; n++) await store.put(`k/${n % 5}`, String(n))
  await store.delete('k/0')
  expect((await slow.next()).value).toEqual({ kind: 'lag', reason: 'overrun' })
  expect((await slow.next()).value).toMatchObject({ kind: 'snapshot', revision: 301, entries: { length: 4 } })
  expect((await store.watch('', { fromRevision: 200 }).next()).value).toEqual({
    kind: 'lag',
    reason: 'compacted',
  })
  expect((await store.watch('', { fromRevision: 299 }).next()).value).toMatchObject({
    kind: 'changes',
    revision: 299,
  })
  await store.close()
  const again = await fileStore({ path, clock: manualClock() })
  expect(again.recovered).toBeUndefined()
  expect(await again.get('k/0')).toBeUndefined()
  expect(await again.get('k/4')).toMatchObject({ value: '299', createRevision: 5, revision: 300 })
  await again.close()
})
