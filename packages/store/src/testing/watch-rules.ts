import assert from 'node:assert/strict'
import type { Entry, Store, WatchEvent } from '../store.ts'
import { inTime, nextEvent, nextOf } from './expect.ts'
import type { Rule } from './subject.ts'

/** Watches: what they report, in what order, and how they go on. */
export const watchRules: readonly Rule[] = [
  [
    'a watch begins with a snapshot and goes on with every change after it',
    async ({ store, peer }) => {
      const a = await store.put('p/a', '1')
      const watch = store.watch('p/')
      assert.deepEqual(await nextEvent(watch), { kind: 'snapshot', revision: a.revision, entries: [a] })
      const b = await peer.put('p/b', '1')
      const a2 = await store.put('p/a', '2')
      await peer.delete('p/b')
      assert.deepEqual(await nextEvent(watch), {
        kind: 'changes',
        revision: b.revision,
        changes: [{ type: 'put', key: 'p/b', entry: b }],
      })
      assert.deepEqual(await nextEvent(watch), {
        kind: 'changes',
        revision: a2.revision,
        changes: [{ type: 'put', key: 'p/a', entry: a2, previous: a }],
      })
      const deletion = await nextOf(watch, 'changes')
      assert.deepEqual(deletion.changes, [{ type: 'delete', key: 'p/b', previous: b }])
      assert.ok(deletion.revision > a2.revision)
      await watch.return?.()
    },
  ],
  [
    'a watch of nothing yet begins with an empty snapshot',
    async ({ store }) => {
      const watch = store.watch('')
      assert.deepEqual((await nextOf(watch, 'snapshot')).entries, [])
      await watch.return?.()
    },
  ],
  [
    'a watcher that waits is told when something happens',
    async ({ store, peer }) => {
      const watch = store.watch('p/')
      await nextOf(watch, 'snapshot')
      const waiting = nextOf(watch, 'changes')
      const entry = await peer.put('p/a', '1')
      assert.equal((await waiting).revision, entry.revision)
      await watch.return?.()
    },
  ],
  [
    'a watch reports its prefix only',
    async ({ store }) => {
      const watch = store.watch('p/')
      await nextOf(watch, 'snapshot')
      await store.put('pq', '1')
      await store.put('q/a', '1')
      const { revision } = await store.txn({
        compare: [],
        success: [
          { type: 'put', key: 'o', value: '1' },
          { type: 'put', key: 'p/a', value: '1' },
        ],
      })
      const event = await nextOf(watch, 'changes')
      assert.equal(event.revision, revision)
      assert.deepEqual(
        event.changes.map((change) => change.key),
        ['p/a'],
      )
      await watch.return?.()
    },
  ],
  [
    'a transaction is one event, in the order of its operations',
    async ({ store }) => {
      await store.put('p/b', '1')
      const watch = store.watch('p/')
      await nextOf(watch, 'snapshot')
      const { revision } = await store.txn({
        compare: [],
        success: [
          { type: 'put', key: 'p/c', value: '1' },
          { type: 'delete', key: 'p/b' },
          { type: 'put', key: 'p/a', value: '1' },
        ],
      })
      const event = await nextOf(watch, 'changes')
      assert.equal(event.revision, revision)
      assert.deepEqual(
        event.changes.map((change) => `${change.type} ${change.key}`),
        ['put p/c', 'delete p/b', 'put p/a'],
      )
      await watch.return?.()
    },
  ],
  [
    'a watch from a revision takes up where it was left, without a snapshot',
    async ({ store }) => {
      const first = await store.put('p/a', '1')
      const second = await store.put('p/a', '2')
      await store.put('q', '')
      const third = await store.put('p/b', '1')
      const watch = store.watch('p/', { fromRevision: first.revision + 1 })
      assert.equal((await nextOf(watch, 'changes')).revision, second.revision)
      assert.equal((await nextOf(watch, 'changes')).revision, third.revision)
      const fourth = await store.put('p/b', '2')
      assert.equal((await nextOf(watch, 'changes')).revision, fourth.revision)
      await watch.return?.()
      const ahead = store.watch('p/', { fromRevision: fourth.revision + 1 })
      const waiting = nextOf(ahead, 'changes')
      // Begun before the write, since a store may begin a watch only when it is asked for the first event.
      const fifth = await store.put('p/b', '3')
      assert.equal((await waiting).revision, fifth.revision)
      await ahead.return?.()
    },
  ],
  [
    'a watch from a revision that was compacted says so and begins anew',
    async ({ store, compact }) => {
      const first = await store.put('p/a', '1')
      await store.put('p/a', '2')
      const third = await store.put('p/a', '3')
      await compact()
      const watch = store.watch('p/', { fromRevision: first.revision + 1 })
      assert.deepEqual(await nextEvent(watch), { kind: 'lag', reason: 'compacted' })
      assert.deepEqual((await nextOf(watch, 'snapshot')).entries, [third])
      const fourth = await store.put('p/a', '4')
      assert.equal((await nextOf(watch, 'changes')).revision, fourth.revision)
      await watch.return?.()
    },
  ],
  [
    'a watch from a revision the store has not reached says so and begins anew',
    async ({ store }) => {
      const entry = await store.put('p/a', '1')
      const watch = store.watch('p/', { fromRevision: entry.revision + 1000 })
      assert.deepEqual(await nextEvent(watch), { kind: 'lag', reason: 'unknown-revision' })
      assert.deepEqual((await nextOf(watch, 'snapshot')).entries, [entry])
      await watch.return?.()
    },
  ],
  [
    'an aborted watch ends without an error, waiting or not',
    async ({ store }) => {
      const controller = new AbortController()
      const watch = store.watch('', { signal: controller.signal })
      await nextOf(watch, 'snapshot')
      const waiting = watch.next()
      controller.abort()
      assert.equal((await inTime(waiting, 'the end of an aborted watch')).done, true)
      assert.equal((await watch.next()).done, true)
      assert.equal((await store.watch('', { signal: controller.signal }).next()).done, true)
    },
  ],
  [
    'a loop that is left ends its watch',
    async ({ store }) => {
      const watch = store.watch('')
      for await (const event of watch) {
        assert.equal(event.kind, 'snapshot')
        break
      }
      await store.put('a', '1')
      assert.equal((await watch.next()).done, true)
      const waiting = store.watch('')
      await nextOf(waiting, 'snapshot')
      const last = waiting.next()
      await waiting.return?.()
      assert.equal((await inTime(last, 'the end of a watch that was returned')).done, true)
    },
  ],
  [
    'what two watchers gather while clients write is what is there in the end, revision by revision',
    async ({ store, peer }) => {
      await store.put('p/0', 'before')
      const early = gather(store, 'p/', 'done')
      const writing = Promise.all([writeMuch(store, 1), writeMuch(peer, 2)])
      const late = gather(peer, 'p/', 'done')
      await writing
      await store.put('p/done', '')
      const { entries } = await store.list('p/')
      assert.deepEqual(await inTime(early, 'the last event of a watch'), entries)
      assert.deepEqual(await inTime(late, 'the last event of a watch'), entries)
    },
  ],
]

/** Writes and deletes a few keys over and over, in an order that depends on `seed` alone. */
async function writeMuch(store: Store, seed: number): Promise<void> {
  let state = seed
  for (let step = 0; step < 60; step++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    const key = `p/${(state >>> 16) % 7}`
    if ((state >>> 8) % 3 === 0) await store.delete(key)
    else await store.put(key, `${seed}.${step}`)
  }
}

/** Folds a watch into the entries it amounts to, until it has reported the key `last`. Checks that it is consistent. */
async function gather(store: Store, prefix: string, last: string): Promise<Entry[]> {
  const known = new Map<string, Entry>()
  let revision = 0
  for await (const event of store.watch(prefix)) {
    if (event.kind === 'lag') continue
    assert.ok(event.revision > revision || event.kind === 'snapshot', 'revisions ascend')
    revision = event.revision
    apply(known, event)
    if (known.has(prefix + last)) break
  }
  return [...known.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}

function apply(known: Map<string, Entry>, event: Exclude<WatchEvent, { kind: 'lag' }>): void {
  if (event.kind === 'snapshot') {
    known.clear()
    for (const entry of event.entries) known.set(entry.key, entry)
    return
  }
  for (const change of event.changes) {
    assert.deepEqual(change.previous, known.get(change.key), 'a change follows what was known')
    if (change.type === 'delete') known.delete(change.key)
    else known.set(change.key, change.entry)
  }
}
