import assert from 'node:assert/strict'
import type { Operation, Store } from '../store.ts'
import { maxOperations } from '../transaction.ts'
import { refused } from './expect.ts'
import type { Rule } from './subject.ts'

/** Conditional writes and transactions, alone and in a race. */
export const transactionRules: readonly Rule[] = [
  [
    'ifRevision 0 creates, and only once',
    async ({ store, peer }) => {
      const entry = await store.put('a', '1', { ifRevision: 0 })
      await refused('STORE_CONFLICT', () => peer.put('a', '2', { ifRevision: 0 }))
      assert.deepEqual(await store.get('a'), entry)
    },
  ],
  [
    'a put or a deletion with a stale revision conflicts and changes nothing',
    async ({ store, peer }) => {
      const stale = await store.put('a', '1')
      const fresh = await peer.put('a', '2', { ifRevision: stale.revision })
      await refused('STORE_CONFLICT', () => store.put('a', '3', { ifRevision: stale.revision }))
      await refused('STORE_CONFLICT', () => store.delete('a', { ifRevision: stale.revision }))
      await refused('STORE_CONFLICT', () => store.delete('a', { ifRevision: 0 }))
      await refused('STORE_CONFLICT', () => store.put('b', '3', { ifRevision: stale.revision }))
      assert.deepEqual((await store.list('')).entries, [fresh])
      assert.equal((await store.list('')).revision, fresh.revision)
      assert.equal(await store.delete('a', { ifRevision: fresh.revision }), true)
    },
  ],
  [
    'writers that race for one key never overwrite each other',
    async ({ store, peer }) => {
      await store.put('count', '0')
      const increment = async (client: Store): Promise<void> => {
        for (;;) {
          const entry = await client.get('count')
          assert.ok(entry !== undefined)
          try {
            await client.put('count', String(Number(entry.value) + 1), { ifRevision: entry.revision })
            return
          } catch (error) {
            if ((error as { code?: unknown }).code !== 'STORE_CONFLICT') throw error
          }
        }
      }
      await Promise.all(Array.from({ length: 24 }, (_, index) => increment(index % 2 === 0 ? store : peer)))
      assert.equal((await store.get('count'))?.value, '24')
    },
  ],
  [
    'of the writers that race to create a key one wins',
    async ({ store, peer }) => {
      const claims = Array.from({ length: 12 }, (_, index) =>
        (index % 2 === 0 ? store : peer).txn({
          compare: [{ key: 'owner', exists: false }],
          success: [{ type: 'put', key: 'owner', value: String(index) }],
          failure: [{ type: 'get', key: 'owner' }],
        }),
      )
      const outcomes = await Promise.all(claims)
      const winner = outcomes.findIndex((outcome) => outcome.succeeded)
      assert.equal(outcomes.filter((outcome) => outcome.succeeded).length, 1)
      for (const { results } of outcomes) {
        const [result] = results
        assert.ok(result !== undefined && result.type !== 'delete')
        assert.equal(result.entry?.value, String(winner))
      }
    },
  ],
  [
    'a transaction is one revision, and says what each operation did',
    async ({ store }) => {
      const old = await store.put('old', 'x')
      const outcome = await store.txn({
        compare: [{ key: 'new', revision: 0 }],
        success: [
          { type: 'put', key: 'new', value: '1' },
          { type: 'delete', key: 'old' },
          { type: 'delete', key: 'never' },
          { type: 'get', key: 'old' },
          { type: 'get', key: 'new' },
        ],
        failure: [{ type: 'put', key: 'wrong', value: '' }],
      })
      const { revision } = outcome
      const entry = { key: 'new', value: '1', createRevision: revision, revision }
      assert.ok(revision > old.revision)
      assert.deepEqual(outcome, {
        succeeded: true,
        revision,
        results: [
          { type: 'put', entry },
          { type: 'delete', previous: old },
          { type: 'delete', previous: undefined },
          { type: 'get', entry: undefined },
          { type: 'get', entry },
        ],
      })
      assert.deepEqual(await store.list(''), { revision, entries: [entry] })
    },
  ],
  [
    'when a comparison does not hold only the other branch is done',
    async ({ store }) => {
      const entry = await store.put('a', '1')
      const success: Operation[] = [{ type: 'put', key: 'wrong', value: '' }]
      const outcome = await store.txn({
        compare: [
          { key: 'a', revision: entry.revision },
          { key: 'b', exists: true },
        ],
        success,
        failure: [{ type: 'get', key: 'a' }],
      })
      assert.deepEqual(outcome, {
        succeeded: false,
        revision: entry.revision,
        results: [{ type: 'get', entry }],
      })
      const bare = await store.txn({ compare: [{ key: 'a', value: '2' }], success })
      assert.deepEqual(bare, { succeeded: false, revision: entry.revision, results: [] })
    },
  ],
  [
    'every comparison means what it says',
    async ({ store }) => {
      const first = await store.put('a', '1')
      const { revision } = await store.put('a', 'one')
      const holds = async (compare: Parameters<Store['txn']>[0]['compare'][number]) =>
        (await store.txn({ compare: [compare], success: [] })).succeeded
      assert.equal(await holds({ key: 'a', revision }), true)
      assert.equal(await holds({ key: 'a', revision: first.revision }), false)
      assert.equal(await holds({ key: 'a', revision: 0 }), false)
      assert.equal(await holds({ key: 'b', revision: 0 }), true)
      assert.equal(await holds({ key: 'a', value: 'one' }), true)
      assert.equal(await holds({ key: 'a', value: '1' }), false)
      assert.equal(await holds({ key: 'b', value: '' }), false)
      assert.equal(await holds({ key: 'a', exists: true }), true)
      assert.equal(await holds({ key: 'a', exists: false }), false)
      assert.equal(await holds({ key: 'b', exists: true }), false)
      assert.equal(await holds({ key: 'b', exists: false }), true)
    },
  ],
  [
    'what writes nothing makes no revision',
    async ({ store }) => {
      const { revision } = await store.put('a', '1')
      await store.delete('never')
      const outcome = await store.txn({ compare: [], success: [{ type: 'delete', key: 'never' }] })
      assert.equal(outcome.revision, revision)
      assert.equal((await store.list('')).revision, revision)
    },
  ],
  [
    'a transaction that is too large or writes a key twice is refused and changes nothing',
    async ({ store }) => {
      const many = (count: number): Operation[] =>
        Array.from({ length: count }, (_, index) => ({ type: 'put', key: `p/${index}`, value: '' }))
      const { revision } = await store.put('a', '1')
      for (const success of [
        many(maxOperations + 1),
        [...many(2), { type: 'delete', key: 'p/1' } as const],
        [...many(2), { type: 'put', key: 'p/0', value: '2' } as const],
      ]) {
        await refused('STORE_INVALID_TRANSACTION', () => store.txn({ compare: [], success }))
        await refused('STORE_INVALID_TRANSACTION', () =>
          store.txn({ compare: [], success: [], failure: success }),
        )
      }
      await refused('STORE_INVALID_TRANSACTION', () => store.put('a', '2', { ifRevision: -1 }))
      await refused('STORE_INVALID_TRANSACTION', () => store.delete('a', { ifRevision: 0.5 }))
      assert.equal((await store.list('')).revision, revision)
      await store.txn({ compare: [], success: many(maxOperations) })
      assert.equal((await store.list('p/')).entries.length, maxOperations)
    },
  ],
  [
    'nobody sees half a transaction',
    async ({ store, peer }) => {
      await store.put('left', '50')
      await store.put('right', '50')
      const read = async (client: Store) => {
        const { results } = await client.txn({
          compare: [],
          success: [
            { type: 'get', key: 'left' },
            { type: 'get', key: 'right' },
          ],
        })
        return results.map((result) => {
          assert.ok(result.type === 'get' && result.entry !== undefined)
          return result.entry
        })
      }
      const move = async (client: Store, amount: number): Promise<void> => {
        for (;;) {
          const [left, right] = await read(client)
          assert.ok(left !== undefined && right !== undefined)
          assert.equal(Number(left.value) + Number(right.value), 100)
          const outcome = await client.txn({
            compare: [left, right].map(({ key, revision }) => ({ key, revision })),
            success: [
              { type: 'put', key: 'left', value: String(Number(left.value) - amount) },
              { type: 'put', key: 'right', value: String(Number(right.value) + amount) },
            ],
          })
          if (outcome.succeeded) return
        }
      }
      await Promise.all(
        [1, 2, 3, 4, 5, 6, 7, 8].map((amount) => move(amount % 2 === 0 ? store : peer, amount)),
      )
      assert.deepEqual(
        (await read(store)).map((entry) => entry.value),
        ['14', '86'],
      )
    },
  ],
]
