import { describe, expect, test } from 'vitest'
import { realClock, temporaryPath, writer } from './fixtures/folder.ts'
import { fileStore } from './index.ts'

describe('processes that share a file', () => {
  test('lose none of their compare-and-swaps, and print nothing', async () => {
    const path = temporaryPath()
    const writers = [1, 2, 3].map(() => writer('count', path, 'counter', '60'))
    expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual([0, 0, 0])
    expect(writers.map(({ errors }) => errors())).toEqual(['', '', ''])
    const store = await fileStore({ path, clock: realClock })
    expect(await store.get('counter')).toMatchObject({ value: '180', revision: 180 })
    await store.close()
  }, 60_000)

  test('see in a watch what the others write, each revision once', async () => {
    const path = temporaryPath()
    const store = await fileStore({ path, clock: realClock })
    const watch = store.watch('')
    await watch.next()
    const { ended } = writer('count', path, 'counter', '30')
    for (let n = 1; n <= 30; n++) {
      expect((await watch.next()).value).toMatchObject({
        kind: 'changes',
        revision: n,
        changes: [{ type: 'put', key: 'counter', entry: { value: String(n) } }],
      })
    }
    expect(await ended).toBe(0)
    await store.close()
  }, 60_000)

  test('end the lease of one that was killed', async () => {
    const path = temporaryPath()
    const store = await fileStore({ path, clock: realClock })
    const holder = writer('hold', path, '1')
    await holder.printed(1)
    const watch = store.watch('')
    expect((await watch.next()).value).toMatchObject({ kind: 'snapshot', entries: [{ key: 'held' }] })
    holder.kill()
    expect((await watch.next()).value).toMatchObject({ changes: [{ type: 'delete', key: 'held' }] })
    await store.close()
  }, 60_000)

  test('that are killed while they write leave whole transactions, and all that were acknowledged', async () => {
    const path = temporaryPath()
    for (let round = 0; round < 12; round++) {
      const child = writer('pairs', path)
      await child.printed(1 + ((round * 37) % 400))
      child.kill()
      await child.ended
      const acknowledged = Number(child.output().trim().split('\n').at(-1))
      const store = await fileStore({ path, clock: realClock })
      const left = Number((await store.get('left'))?.value)
      expect(store.recovered).toBeUndefined()
      // The one that was under way when it was killed may be there too.
      expect([acknowledged, acknowledged + 1]).toContain(left)
      expect((await store.get('right'))?.value).toBe(String(left))
      const { revision, entries } = await store.list('many/')
      expect(revision).toBe(left)
      const kept = Array.from({ length: Math.min(20, left) }, (_, i) => left - i)
      expect(new Set(entries.map(({ key }) => key))).toEqual(new Set(kept.map((n) => `many/${n}`)))
      for (const { key, value } of entries) expect(value.length).toBe(Number(key.slice(5)) % 5000)
      await store.close()
    }
  }, 60_000)
})
