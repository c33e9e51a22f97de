import assert from 'node:assert/strict'
import type { StoreError } from '../store-error.ts'
import { aborted, inTime, nextOf, refused } from './expect.ts'
import type { Rule } from './subject.ts'

/** What is left of a store that was closed. */
export const closeRules: readonly Rule[] = [
  [
    'every call on a closed store is refused; closing it again does nothing',
    async ({ store }) => {
      const lease = await store.lease(60)
      await store.close()
      await store.close()
      await refused('STORE_CLOSED', () => store.get('a'))
      await refused('STORE_CLOSED', () => store.list(''))
      await refused('STORE_CLOSED', () => store.put('a', '1'))
      await refused('STORE_CLOSED', () => store.delete('a'))
      await refused('STORE_CLOSED', () => store.txn({ compare: [], success: [] }))
      await refused('STORE_CLOSED', () => store.lease(60))
      await refused('STORE_CLOSED', () => lease.keepAlive())
      await refused('STORE_CLOSED', () => store.watch('').next())
    },
  ],
  [
    'closing tells who waits for an event, or will, and who holds a lease',
    async ({ store }) => {
      const lease = await store.lease(60)
      const idle = store.watch('')
      const waiting = store.watch('')
      await nextOf(idle, 'snapshot')
      await nextOf(waiting, 'snapshot')
      await store.put('a', '1')
      await nextOf(waiting, 'changes')
      const next = waiting.next()
      const refusal = refused('STORE_CLOSED', () => inTime(next, 'the end of a watch'))
      await store.close()
      await refusal
      await refused('STORE_CLOSED', () => inTime(idle.next(), 'the end of a watch'))
      assert.equal((await idle.next()).done, true)
      assert.equal(((await aborted(lease.lost)) as StoreError).code, 'STORE_CLOSED')
    },
  ],
]
