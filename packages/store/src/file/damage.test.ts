import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { manualClock } from '../testing/index.ts'
import { temporaryPath } from './fixtures/folder.ts'
import { type FileStore, fileStore } from './index.ts'

const clock = manualClock()
const values = Array.from({ length: 60 }, (_, n) => `${n}:${'v'.repeat((n * 97) % 700)}`)

async function filled(path: string): Promise<void> {
  const store = await fileStore({ path, clock })
  for (const [n, value] of values.entries()) await store.put(`keys/${n}`, value)
  await store.close()
}

describe('a file store whose file is damaged', () => {
  test('sets it aside, says so until the content is rebuilt, and goes on with later revisions', async () => {
    const path = temporaryPath()
    await filled(path)
    truncateSync(path, 8192)
    const told: unknown[] = []
    const log = { warn() {}, error: (message: string, facts?: unknown) => void told.push([message, facts]) }
    const store = await fileStore({ path, clock, log })
    expect(told).toHaveLength(1)
    expect(store.recovered).toMatchObject({ setAside: `${path}.damaged-20250101T000000Z` })
    expect(existsSync(store.recovered?.setAside ?? '')).toBe(true)
    expect((await store.list('')).entries).toEqual([])
    expect((await store.put('a', '1')).revision).toBe(61)
    expect((await store.watch('', { fromRevision: 30 }).next()).value).toEqual({
      kind: 'lag',
      reason: 'compacted',
    })
    await store.close()
    const again = await fileStore({ path, clock })
    expect(again.recovered).toBeDefined()
    await again.recoveryDone()
    await again.close()
    const last = await fileStore({ path, clock })
    expect(last.recovered).toBeUndefined()
    expect(await last.get('a')).toMatchObject({ value: '1' })
    await last.close()
  })

  test('says so when its file is gone although something was acknowledged', async () => {
    const path = temporaryPath()
    await filled(path)
    truncateSync(path, 0)
    const store = await fileStore({ path, clock })
    expect(store.recovered?.reason).toMatch(/empty, but revision 60 was acknowledged/)
    await store.close()
  })

  test('that is checked only as it is read refuses the record that is not what was written', async () => {
    const path = temporaryPath()
    await filled(path)
    const octets = readFileSync(path)
    // Wherever it stands: SQLite may have left copies behind.
    for (let at = octets.indexOf('keys/77:v'); at >= 0; at = octets.indexOf('keys/77:v', at + 1)) {
      octets[at + 8] = 0x77
    }
    writeFileSync(path, octets)
    const store = await fileStore({ path, clock, check: 'reads' })
    expect(store.recovered).toBeUndefined()
    const outcomes = await Promise.allSettled(values.map((_, n) => store.get(`keys/${n}`)))
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.map(({ reason }) => reason)).toMatchObject([{ code: 'STORE_DAMAGED' }])
    await store.close()
    const fresh = await fileStore({ path, clock })
    expect(fresh.recovered?.reason).toMatch(/is not what was written/)
    await fresh.close()
  })

  test('is left alone while another uses it', async () => {
    const path = temporaryPath()
    await filled(path)
    const store = await fileStore({ path, clock })
    execFileSync('dd', [
      'if=/dev/urandom',
      `of=${path}`,
      'bs=4096',
      'count=3',
      'seek=1',
      'conv=notrunc',
      'status=none',
    ])
    await expect(fileStore({ path, clock })).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    await store.close()
    const fresh = await fileStore({ path, clock })
    expect(fresh.recovered).toBeDefined()
    await fresh.close()
  })

  test('wherever its octets change or end: gives back what was written, or says that it is damaged', async () => {
    const path = temporaryPath()
    await filled(path)
    const sound = readFileSync(path)
    const damage = fc.record({ at: fc.nat(sound.length - 1), bit: fc.nat(7), cut: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, bit, cut }) => {
        const copy = temporaryCopy(path, sound, at, bit, cut)
        let store: FileStore
        try {
          store = await fileStore({ path: copy, clock })
        } catch (error) {
          // The marks in the header that say whose file it is may be what was hit.
          expect(error).toMatchObject({ code: expect.stringMatching(/^STORE_(FORMAT|DAMAGED|UNAVAILABLE)$/) })
          return
        }
        try {
          if (store.recovered !== undefined) return
          const { entries } = await store.list('keys/')
          expect(Object.fromEntries(entries.map(({ key, value }) => [key, value]))).toEqual(
            Object.fromEntries(values.map((value, n) => [`keys/${n}`, value])),
          )
        } finally {
          await store.close()
        }
      }),
      { numRuns: 150 },
    )
  }, 60_000)
})

let copies = 0
function temporaryCopy(path: string, sound: Uint8Array, at: number, bit: number, cut: boolean): string {
  const copy = `${path}-copy-${copies++}`
  const octets = cut ? sound.slice(0, at) : sound.slice()
  if (!cut) octets[at] = (octets[at] ?? 0) ^ (1 << bit)
  writeFileSync(copy, octets)
  writeFileSync(`${copy}-revision`, readFileSync(`${path}-revision`))
  return copy
}

describe('a file store refuses', () => {
  test('a newer format and the database of another program, and leaves both alone', async () => {
    const path = temporaryPath()
    await filled(path)
    const db = new DatabaseSync(path)
    db.exec('PRAGMA user_version = 99')
    db.close()
    await expect(fileStore({ path, clock })).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    const other = `${path}-other`
    const theirs = new DatabaseSync(other)
    theirs.exec('CREATE TABLE t (a)')
    theirs.close()
    await expect(fileStore({ path: other, clock })).rejects.toMatchObject({ code: 'STORE_FORMAT' })
    expect(existsSync(other)).toBe(true)
  })

  const canMount = process.getuid?.() === 0 && process.platform === 'linux'
  test.skipIf(!canMount)(
    'writes on a full disk and writes nothing (needs root to mount a small disk)',
    async () => {
      const path = temporaryPath()
      const folder = dirname(path)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', folder])
      onTestFinished(() => void execFileSync('umount', ['-l', folder]))
      const store = await fileStore({ path, clock })
      const kept = new Map<string, string>()
      let refusal: unknown
      for (let n = 0; n < 500 && refusal === undefined; n++) {
        const value = `${n}`.padEnd(4000, 'x')
        await store.put(`k/${n}`, value).then(
          () => kept.set(`k/${n}`, value),
          (error: unknown) => {
            refusal = error
          },
        )
      }
      expect(refusal).toMatchObject({ code: 'STORE_FULL' })
      const held = async (from: FileStore) =>
        new Map((await from.list('')).entries.map(({ key, value }) => [key, value]))
      expect(await held(store)).toEqual(kept)
      await store.close()
      execFileSync('mount', ['-o', 'remount,size=4m', folder])
      const again = await fileStore({ path, clock })
      expect(again.recovered).toBeUndefined()
      expect(await held(again)).toEqual(kept)
      await again.put('more', '1')
      await again.close()
      execFileSync('mount', ['-o', 'remount,ro', folder])
      await expect(fileStore({ path, clock })).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
    },
  )
})

test('the files of a store are for their owner only', async () => {
  const path = temporaryPath()
  const inside = `${path}-folder/state`
  const store = await fileStore({ path: inside, clock })
  await store.put('a', '1')
  expect(statSync(dirname(inside)).mode & 0o777).toBe(0o700)
  for (const part of ['', '-wal', '-shm', '-lock', '-revision']) {
    expect([part, statSync(inside + part).mode & 0o777]).toEqual([part, 0o600])
  }
  await store.close()
})
