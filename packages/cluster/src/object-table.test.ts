import { keptLog } from '@podfabric/cni/testing'
import type { Pod } from '@podfabric/kube'
import { describe, expect, it } from 'vitest'
import { manifest } from './fixtures/manifest.ts'
import { type ObjectChange, objectTable } from './object-table.ts'

function pod(name: string, namespace = 'default', labels: Record<string, string> = {}): Pod {
  const [object] = manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${namespace}, labels: ${JSON.stringify(labels)} }
spec: { containers: [{ name: main }] }
`)
  if (object?.kind !== 'Pod') throw new Error('no pod')
  return object
}

function tableAt(start = 0) {
  let now = start
  const { log, logged } = keptLog()
  const table = objectTable({ now: () => now, log })
  const changes: ObjectChange[] = []
  const later = (milliseconds: number) => {
    now += milliseconds
  }
  return { table, changes, logged, later }
}

const told = (changes: readonly ObjectChange[]) =>
  changes.map((change) => {
    const { metadata } = change.type === 'put' ? change.object : change.previous
    return `${change.type} ${metadata.name} ${metadata.resourceVersion}`
  })

describe('a put', () => {
  it('gives a new object its uid, its time of birth, generation 1 and a version', () => {
    const { table } = tableAt(1000)
    expect(table.put(pod('web')).metadata).toMatchObject({
      uid: expect.stringMatching(/./),
      creationTimestamp: '1970-01-01T00:00:01.000Z',
      generation: 1,
      resourceVersion: '1',
    })
  })

  it('counts the generation when the spec changed, and the version always', () => {
    const { table } = tableAt()
    const first = table.put(pod('web'))
    const labelled = table.put({ ...first, metadata: { ...first.metadata, labels: { a: 'b' } } })
    expect(labelled.metadata).toMatchObject({ generation: 1, resourceVersion: '2' })
    const changed = table.put({ ...labelled, spec: { ...labelled.spec, nodeName: 'n1' } })
    expect(changed.metadata).toMatchObject({ generation: 2, resourceVersion: '3' })
  })

  it('keeps uid and time of birth, whatever the object says', () => {
    const { table, later } = tableAt()
    const { uid, creationTimestamp } = table.put(pod('web')).metadata
    later(5000)
    const again = table.put(pod('web', 'default', { a: 'b' }))
    expect(again.metadata).toMatchObject({ uid, creationTimestamp })
    const other = { ...again, metadata: { ...again.metadata, uid: 'mine', labels: {} } }
    expect(table.put(other).metadata.uid).toBe(uid)
  })

  it('of what is there already tells nobody and gives back what is kept', () => {
    const { table, changes } = tableAt()
    const kept = table.put(pod('web'))
    table.watch((change) => changes.push(change))
    expect(table.put(pod('web'))).toBe(kept)
    expect(table.put({ ...kept, status: undefined } as never)).toBe(kept)
    expect(changes).toEqual([])
  })

  it('of an object that was deleted makes another one', () => {
    const { table } = tableAt()
    const first = table.put(pod('web'))
    expect(table.remove('Pod', 'web', 'default')).toBe(true)
    expect(table.remove('Pod', 'web', 'default')).toBe(false)
    const second = table.put(pod('web'))
    expect(second.metadata.uid).not.toBe(first.metadata.uid)
    expect(second.metadata.generation).toBe(1)
  })
})

describe('a list', () => {
  it('is in byte order of namespace, then name, whatever came first', () => {
    const { table } = tableAt()
    for (const [namespace, name] of [
      ['a-b', 'x'],
      ['a', 'z'],
      ['a', 'b.c'],
      ['a', 'b-c'],
      ['b', 'a'],
    ] as const) {
      table.put(pod(name, namespace))
    }
    const names = () => table.list('Pod').map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    expect(names()).toEqual(['a/b-c', 'a/b.c', 'a/z', 'a-b/x', 'b/a'])
    table.remove('Pod', 'z', 'a')
    expect(names()).toEqual(['a/b-c', 'a/b.c', 'a-b/x', 'b/a'])
    expect(table.list('Pod', 'a').map(({ metadata }) => metadata.name)).toEqual(['b-c', 'b.c'])
    expect(table.list('Service')).toEqual([])
  })
})

describe('a watcher', () => {
  it('sees each change once, with what was before', () => {
    const { table, changes } = tableAt()
    const before = table.put(pod('web'))
    const watch = table.watch((change) => changes.push(change))
    const after = table.put({ ...before, spec: { ...before.spec, nodeName: 'n1' } })
    table.remove('Pod', 'web', 'default')
    watch[Symbol.dispose]()
    table.put(pod('more'))
    expect(changes).toEqual([
      { type: 'put', object: after, previous: before },
      { type: 'delete', previous: after },
    ])
  })

  it('that changes objects itself makes changes that all see afterwards, in the same order', () => {
    const { table } = tableAt()
    const first: ObjectChange[] = []
    const second: ObjectChange[] = []
    table.watch((change) => {
      first.push(change)
      if (change.type === 'put' && change.object.metadata.name === 'a') {
        table.put(pod('b'))
        table.remove('Pod', 'a', 'default')
        expect(table.get('Pod', 'a', 'default')).toBeUndefined()
      }
    })
    table.watch((change) => second.push(change))
    table.put(pod('a'))
    expect(told(second)).toEqual(['put a 1', 'put b 2', 'delete a 1'])
    expect(first).toEqual(second)
  })

  it('that throws is reported, and keeps nothing from the others', () => {
    const { table, changes, logged } = tableAt()
    table.watch(() => {
      throw new Error('not now')
    })
    table.watch((change) => changes.push(change))
    table.put(pod('a'))
    table.put(pod('b'))
    expect(told(changes)).toEqual(['put a 1', 'put b 2'])
    expect(logged.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'error: a watcher of objects failed',
      'error: a watcher of objects failed',
    ])
  })
})
