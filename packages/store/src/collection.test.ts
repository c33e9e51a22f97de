import { describe, expect, test } from 'vitest'
import { type CollectionEvent, collection, json, memoryStore } from './index.ts'
import { manualClock } from './testing/index.ts'

interface Peer {
  ip: string
}

const format = json<Peer>((value) => {
  const ip: unknown = typeof value === 'object' && value !== null && 'ip' in value ? value.ip : undefined
  if (typeof ip !== 'string') throw new Error('ip: expected a string')
  return { ip }
})

function peers() {
  const store = memoryStore({ clock: manualClock() })
  return { store, peers: collection(store, 'peers/', format) }
}

describe('a collection', () => {
  test('gives back the values it was given, under their names', async () => {
    const { store, peers: nodes } = peers()
    const item = await nodes.put('node-1', { ip: '10.0.0.1' })
    expect(item).toEqual({ name: 'node-1', value: { ip: '10.0.0.1' }, createRevision: 1, revision: 1 })
    expect(await nodes.get('node-1')).toEqual(item)
    expect(await nodes.get('node-2')).toBeUndefined()
    expect(await store.get(nodes.key('node-1'))).toMatchObject({ value: '{"ip":"10.0.0.1"}' })
    await expect(nodes.put('node-1', { ip: '' }, { ifRevision: 0 })).rejects.toMatchObject({
      code: 'STORE_CONFLICT',
    })
    expect(await nodes.delete('node-1')).toBe(true)
    expect(await nodes.list()).toEqual({ revision: 2, items: [], damaged: [] })
  })

  test('sets apart what it cannot read, names it, and shows the rest', async () => {
    const { store, peers: nodes } = peers()
    await store.put('peers/a', '{"ip":7}')
    await store.put('peers/b', '{"ip":"10.0.0.2"}')
    await store.put('peers/c', 'no JSON')
    const { items, damaged } = await nodes.list()
    expect(items.map((item) => item.name)).toEqual(['b'])
    expect(damaged).toMatchObject([
      {
        name: 'a',
        error: { code: 'STORE_DAMAGED', message: expect.stringContaining('peers/a cannot be read: ip:') },
      },
      { name: 'c', error: { code: 'STORE_DAMAGED', cause: expect.any(SyntaxError) } },
    ])
    await expect(nodes.get('a')).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    expect(await store.get('peers/a')).toMatchObject({ value: '{"ip":7}' })
  })

  test('watches with parsed values, and goes on past one that cannot be read', async () => {
    const { store, peers: nodes } = peers()
    await nodes.put('a', { ip: '10.0.0.1' })
    const watch = nodes.watch()
    const next = async (): Promise<CollectionEvent<Peer>> => (await watch.next()).value
    expect(await next()).toMatchObject({ kind: 'snapshot', items: [{ name: 'a' }], damaged: [] })
    await store.put('peers/a', '?')
    await nodes.put('b', { ip: '10.0.0.2' })
    await nodes.delete('a')
    expect(await next()).toMatchObject({ kind: 'changes', changes: [{ type: 'damaged', name: 'a' }] })
    expect(await next()).toMatchObject({
      changes: [{ type: 'put', name: 'b', item: { value: { ip: '10.0.0.2' }, revision: 3 } }],
    })
    expect(await next()).toEqual({ kind: 'changes', revision: 4, changes: [{ type: 'delete', name: 'a' }] })
    const last = watch.next()
    await watch.return?.()
    expect((await last).done).toBe(true)
  })
})
