import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { manualClock } from '../testing/index.ts'
import { temporaryPath } from './fixtures/folder.ts'
import { formatOf, migrate, migrations } from './format.ts'
import { fileStore } from './index.ts'
import { openSqlite } from './sqlite.ts'

function oldFile(): string {
  const path = temporaryPath()
  copyFileSync(join(import.meta.dirname, 'fixtures/format-1.sqlite'), path)
  return path
}

test('a file of format 1 is opened with entries, leases and history', async () => {
  const store = await fileStore({ path: oldFile(), clock: manualClock() })
  expect(await store.list('')).toEqual({
    revision: 5,
    entries: [
      { key: 'leased', value: 'é \u{1F600} \0', createRevision: 3, revision: 3, lease: '0000000000000001' },
      { key: 'plain', value: 'two', createRevision: 1, revision: 2 },
    ],
  })
  const watch = store.watch('', { fromRevision: 5 })
  expect((await watch.next()).value).toMatchObject({ changes: [{ type: 'delete', key: 'gone' }] })
  await store.close()
})

test('an upgrade goes on from the format a file has, and fails as a whole', () => {
  const path = oldFile()
  const db = openSqlite(path, 0)
  const next = [...migrations, () => db.exec(`INSERT INTO meta VALUES ('next', '1')`)]
  const failing = () => {
    throw new Error('no')
  }
  expect(() => migrate(db, path, [...next, failing])).toThrow('no')
  expect(formatOf(db, path)).toBe(migrations.length)
  expect(db.prepare(`SELECT * FROM meta WHERE name = 'next'`).get()).toBeUndefined()
  migrate(db, path, next)
  expect(formatOf(db, path, next.length)).toBe(next.length)
  expect(db.prepare(`SELECT value FROM meta WHERE name = 'next'`).get()?.value).toBe('1')
  expect(() => formatOf(db, path)).toThrow(expect.objectContaining({ code: 'STORE_FORMAT' }))
  db.close()
})
