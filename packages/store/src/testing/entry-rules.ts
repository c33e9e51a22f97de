import assert from 'node:assert/strict'
import { maxKeyLength } from '../key.ts'
import { maxValueLength } from '../value.ts'
import { refused } from './expect.ts'
import type { Rule } from './subject.ts'

const invalidKeys = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  'a b',
  'a\nb',
  'clé',
  '.',
  '..',
  'a/../b',
  'x'.repeat(maxKeyLength + 1),
]

/** Reading, writing, listing. */
export const entryRules: readonly Rule[] = [
  [
    'a key that was never written is not there',
    async ({ store }) => {
      assert.equal(await store.get('pods/a'), undefined)
      assert.equal(await store.delete('pods/a'), false)
    },
  ],
  [
    'what was put is got, by every client',
    async ({ store, peer }) => {
      const entry = await store.put('pods/a', '{"ip":"10.0.0.1"}')
      assert.deepEqual(entry, {
        key: 'pods/a',
        value: '{"ip":"10.0.0.1"}',
        createRevision: entry.revision,
        revision: entry.revision,
      })
      assert.deepEqual(await store.get('pods/a'), entry)
      assert.deepEqual(await peer.get('pods/a'), entry)
    },
  ],
  [
    'values come back exactly',
    async ({ store }) => {
      for (const value of ['', ' ', '\0', '\r\n', 'ü€😀', '\ufeffa', 'x'.repeat(50_000)]) {
        await store.put('value', value)
        assert.equal((await store.get('value'))?.value, value)
      }
    },
  ],
  [
    'revisions ascend over all keys, the one that created a key stays',
    async ({ store }) => {
      const first = await store.put('a', '1')
      const other = await store.put('b', '1')
      const second = await store.put('a', '1')
      assert.ok(first.revision >= 1 && Number.isSafeInteger(first.revision))
      assert.ok(other.revision > first.revision && second.revision > other.revision)
      assert.equal(second.createRevision, first.revision)
    },
  ],
  [
    'a key that was deleted is not there, and starts anew when written again',
    async ({ store }) => {
      const first = await store.put('a', '1')
      assert.equal(await store.delete('a'), true)
      assert.equal(await store.get('a'), undefined)
      const again = await store.put('a', '2')
      assert.equal(again.createRevision, again.revision)
      assert.ok(again.revision > first.revision + 1, 'the deletion has a revision of its own')
    },
  ],
  [
    'the longest key is taken; a key against the grammar is refused by every call',
    async ({ store }) => {
      const before = (await store.list('')).revision
      for (const key of invalidKeys) {
        await refused('STORE_INVALID_KEY', () => store.get(key))
        await refused('STORE_INVALID_KEY', () => store.put(key, '1'))
        await refused('STORE_INVALID_KEY', () => store.delete(key))
        await refused('STORE_INVALID_KEY', () => store.list('', { after: key }))
        await refused('STORE_INVALID_KEY', () => store.txn({ compare: [{ key, revision: 0 }], success: [] }))
        await refused('STORE_INVALID_KEY', () => store.txn({ compare: [], success: [{ type: 'get', key }] }))
      }
      assert.deepEqual(await store.list(''), { revision: before, entries: [] })
      const longest = 'x'.repeat(maxKeyLength - 100)
      assert.equal((await store.put(longest, '1')).key, longest)
    },
  ],
  [
    'a prefix that ends inside a segment is refused',
    async ({ store }) => {
      for (const prefix of ['a', '/', 'a//', 'a/b', ' /']) {
        await refused('STORE_INVALID_KEY', () => store.list(prefix))
        await refused('STORE_INVALID_KEY', () => store.watch(prefix).next())
      }
    },
  ],
  [
    'a value that is too long or not text is refused and changes nothing',
    async ({ store }) => {
      await store.put('a', '1')
      for (const value of ['x'.repeat(maxValueLength + 1), '\ud800', 'a\udc00b']) {
        await refused('STORE_INVALID_VALUE', () => store.put('a', value))
        await refused('STORE_INVALID_VALUE', () =>
          store.txn({ compare: [], success: [{ type: 'put', key: 'a', value }] }),
        )
      }
      assert.equal((await store.get('a'))?.value, '1')
    },
  ],
  [
    'a list is in byte order, with the revision it was true at',
    async ({ store }) => {
      const keys = ['p/b', 'p/a/x', 'p/a', 'p/a-b', 'p/a.b', 'p/a0', 'p/B', 'q']
      let revision = 0
      for (const key of keys) revision = (await store.put(key, key)).revision
      const list = await store.list('')
      assert.deepEqual(
        list.entries.map((entry) => entry.key),
        ['p/B', 'p/a', 'p/a-b', 'p/a.b', 'p/a/x', 'p/a0', 'p/b', 'q'],
      )
      assert.equal(list.revision, revision)
      assert.deepEqual(await store.list('none/'), { revision, entries: [] })
    },
  ],
  [
    'a prefix finds whole segments only',
    async ({ store }) => {
      for (const key of ['pods', 'pods/a', 'pods/a/b', 'pods2/c', 'pod/d']) await store.put(key, '')
      const { entries } = await store.list('pods/')
      assert.deepEqual(
        entries.map((entry) => entry.key),
        ['pods/a', 'pods/a/b'],
      )
    },
  ],
  [
    'pages of a list, taken one after the other, are the list',
    async ({ store }) => {
      const keys = Array.from({ length: 25 }, (_, index) => `p/${String(index).padStart(2, '0')}`)
      for (const key of [...keys].reverse()) await store.put(key, '')
      await store.put('a', '')
      await store.put('q', '')
      const found: string[] = []
      for (let after: string | undefined; ; after = found.at(-1)) {
        const page = await store.list('p/', after === undefined ? { limit: 10 } : { limit: 10, after })
        assert.ok(page.entries.length <= 10)
        found.push(...page.entries.map((entry) => entry.key))
        if (page.entries.length < 10) break
      }
      assert.deepEqual(found, keys)
      assert.equal((await store.list('p/', { after: 'a' })).entries.length, 25)
      assert.equal((await store.list('p/', { after: 'q' })).entries.length, 0)
      assert.equal((await store.list('p/', { after: 'p/105' })).entries.length, 14)
    },
  ],
]
