import assert from 'node:assert/strict'
import type { StoreError } from '../store-error.ts'
import { aborted, nextOf, refused } from './expect.ts'
import type { Rule } from './subject.ts'

/** Leases and the keys that hang on them. */
export const leaseRules: readonly Rule[] = [
  [
    'a lease that is not renewed ends, and its keys go in one revision',
    async ({ store, peer, advance }) => {
      const lease = await store.lease(2)
      assert.ok(lease.ttlSeconds >= 2)
      assert.equal((await store.put('p/b', '1', { lease: lease.id })).lease, lease.id)
      await peer.put('p/a', '1', { lease: lease.id })
      const stays = await store.put('p/c', '1')
      const watch = peer.watch('p/')
      assert.equal((await nextOf(watch, 'snapshot')).entries.length, 3)
      await advance(lease.ttlSeconds * 1000 + 1)
      const event = await nextOf(watch, 'changes')
      assert.deepEqual(
        event.changes.map((change) => `${change.type} ${change.key}`),
        ['delete p/a', 'delete p/b'],
      )
      assert.deepEqual((await store.list('p/')).entries, [stays])
      assert.equal(((await aborted(lease.lost)) as StoreError).code, 'STORE_LEASE_LOST')
      await watch.return?.()
    },
  ],
  [
    'a lease holds for its whole time, and for that again each time it is renewed',
    async ({ store, advance }) => {
      const lease = await store.lease(3)
      await store.put('a', '1', { lease: lease.id })
      for (let round = 0; round < 3; round++) {
        await advance(lease.ttlSeconds * 600)
        assert.ok(await store.get('a'))
        assert.equal(lease.lost.aborted, false)
        await lease.keepAlive()
      }
      const watch = store.watch('')
      await nextOf(watch, 'snapshot')
      await advance(lease.ttlSeconds * 1000 + 1)
      assert.equal((await nextOf(watch, 'changes')).changes[0]?.type, 'delete')
      await watch.return?.()
    },
  ],
  [
    'a lease that was revoked is gone with its keys; revoking again does nothing',
    async ({ store, peer }) => {
      const lease = await store.lease(60)
      const other = await store.lease(60)
      await store.put('a', '1', { lease: lease.id })
      await store.put('b', '1', { lease: other.id })
      await lease.revoke()
      await lease.revoke()
      assert.equal(await peer.get('a'), undefined)
      assert.ok(await peer.get('b'))
      assert.equal(((await aborted(lease.lost)) as StoreError).code, 'STORE_LEASE_LOST')
      assert.equal(other.lost.aborted, false)
    },
  ],
  [
    'a lease that has ended cannot be renewed or used, and nothing is written',
    async ({ store }) => {
      const lease = await store.lease(60)
      await lease.revoke()
      const { revision } = await store.put('a', '1')
      await refused('STORE_LEASE_LOST', () => lease.keepAlive())
      await refused('STORE_LEASE_LOST', () => store.put('a', '2', { lease: lease.id }))
      await refused('STORE_LEASE_LOST', () =>
        store.txn({
          compare: [],
          success: [
            { type: 'put', key: 'b', value: '1' },
            { type: 'put', key: 'a', value: '2', lease: lease.id },
          ],
        }),
      )
      assert.equal((await store.list('')).revision, revision)
      // In the branch that is not taken it does not matter.
      const outcome = await store.txn({
        compare: [],
        success: [],
        failure: [{ type: 'put', key: 'a', value: '2', lease: lease.id }],
      })
      assert.equal(outcome.succeeded, true)
    },
  ],
  [
    'the last put says on which lease a key hangs',
    async ({ store }) => {
      const first = await store.lease(60)
      const second = await store.lease(60)
      await store.put('moved', '1', { lease: first.id })
      await store.put('freed', '1', { lease: first.id })
      await store.put('renewed', '1', { lease: first.id })
      await store.put('moved', '1', { lease: second.id })
      assert.equal((await store.put('freed', '1')).lease, undefined)
      await store.delete('renewed')
      await store.put('renewed', '1')
      await first.revoke()
      const keys = async () => (await store.list('')).entries.map((entry) => entry.key)
      assert.deepEqual(await keys(), ['freed', 'moved', 'renewed'])
      await second.revoke()
      assert.deepEqual(await keys(), ['freed', 'renewed'])
    },
  ],
]
