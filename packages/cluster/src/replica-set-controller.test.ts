import type { ReplicaSet } from '@podfabric/kube'
import { describe, expect, it } from 'vitest'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'
import { isTerminating } from './owned.ts'

const set = (replicas: number, name = 'web', more = '') =>
  manifest(`
apiVersion: apps/v1
kind: ReplicaSet
metadata: { name: ${name} }
spec:
  replicas: ${replicas}
  ${more}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: server }] }
`)

const pod = (name: string, more = '') =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web } }
spec: { containers: [{ name: server }]${more} }
`)

async function withNodes() {
  const made = bench()
  await made.node('n1')
  await made.node('n2')
  const scale = (replicas: number) => made.put({ ...stored(), spec: { ...stored().spec, replicas } })
  const stored = (): ReplicaSet => {
    const found = made.table.get('ReplicaSet', 'web', 'default')
    if (!found) throw new Error('the set is gone')
    return found
  }
  return { ...made, scale, stored }
}

describe('a ReplicaSet', () => {
  it('makes as many pods as it asks for, replaces those that go, and tells how they stand', async () => {
    const made = await withNodes()
    await made.put(...set(3))
    expect(made.pods()).toHaveLength(3)
    const [first = ''] = made.names()
    await made.ready(...made.names())
    expect(made.stored().status).toEqual({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 3,
      availableReplicas: 3,
    })
    await made.gone(first)
    expect(made.pods()).toHaveLength(3)
    expect(made.names()).not.toContain(first)
    expect(made.stored().status).toMatchObject({ replicas: 3, readyReplicas: 2 })
  })

  it('does not count pods that are ending', async () => {
    const made = await withNodes()
    await made.put(...set(2))
    const [first = ''] = made.names()
    const ending = made.podNamed(first)
    await made.put({ ...ending, metadata: { ...ending.metadata, deletionTimestamp: '2025-01-01T00:00:30Z' } })
    expect(made.pods()).toHaveLength(3)
    expect(made.living()).toHaveLength(2)
  })

  it('adopts pods that nobody owns and its selector matches, and gives up what is too much', async () => {
    const made = await withNodes()
    await made.put(...pod('orphan'))
    await made.put(...set(2))
    expect(made.pods()).toHaveLength(2)
    expect(made.podNamed('orphan').metadata.ownerReferences).toMatchObject([
      { name: 'web', controller: true },
    ])
    await made.scale(0)
    expect(isTerminating(made.podNamed('orphan'))).toBe(true)
  })

  it('leaves the pods of others alone', async () => {
    const made = await withNodes()
    await made.put(...set(2))
    await made.put(...set(2, 'other'))
    expect(made.pods()).toHaveLength(4)
    await made.scale(0)
    expect(made.living().map(({ metadata }) => metadata.ownerReferences[0]?.name)).toEqual(['other', 'other'])
  })

  it('gives up first what is not placed, then what is not ready, then what was ready last', async () => {
    const made = await withNodes()
    await made.put(...set(5))
    const [a = '', b = '', c = '', d = '', e = ''] = made.names()
    await made.ready(b)
    await made.clock.advance(1000)
    await made.ready(d)
    await made.clock.advance(1000)
    await made.ready(a)
    const unplaced = made.podNamed(e)
    const { nodeName, ...spec } = unplaced.spec
    made.table.put({ ...unplaced, spec })
    // Looked at before the scheduler places it again: they work in one round.
    await made.scale(4)
    expect(made.names()).not.toContain(e)
    await made.scale(3)
    expect(made.living().map(({ metadata }) => metadata.name)).toEqual([a, b, d])
    await made.scale(2)
    expect(made.living().map(({ metadata }) => metadata.name)).toEqual([b, d])
    await made.scale(1)
    expect(made.living().map(({ metadata }) => metadata.name)).toEqual([b])
    expect(isTerminating(made.podNamed(c))).toBe(true)
  })

  it('counts a pod as available once it has been ready for minReadySeconds', async () => {
    const made = await withNodes()
    await made.put(...set(1, 'web', 'minReadySeconds: 10'))
    await made.ready(...made.names())
    expect(made.stored().status).toMatchObject({ readyReplicas: 1, availableReplicas: 0 })
    await made.clock.advance(9_999)
    expect(made.stored().status?.availableReplicas).toBe(0)
    await made.clock.advance(1)
    expect(made.stored().status?.availableReplicas).toBe(1)
  })
})
