import type { StatefulSet } from '@podfabric/kube'
import { describe, expect, it } from 'vitest'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'
import { isTerminating } from './owned.ts'
import { restarted, scaled } from './rollout.ts'
import { revisionLabel } from './stateful-set-controller.ts'

const set = (spec: string) =>
  manifest(`
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec: { containers: [{ name: db }] }
  ${spec}
`)

const pod = (name: string, labels: string) =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: ${labels} }
spec: { containers: [{ name: main }] }
`)

async function withSet(spec: string) {
  const made = bench()
  await made.node('n1')
  await made.put(...set(spec))
  const stored = (): StatefulSet => {
    const found = made.table.get('StatefulSet', 'db', 'default')
    if (!found) throw new Error('the set is gone')
    return found
  }
  return {
    ...made,
    stored,
    scale: (replicas: number) => made.put(scaled(stored(), replicas)),
    restart: () => made.put(restarted(stored(), made.clock.now())),
    ending: () =>
      made
        .pods()
        .filter(isTerminating)
        .map(({ metadata }) => metadata.name),
    revisions: () => made.pods().map(({ metadata }) => metadata.labels[revisionLabel]),
  }
}

async function ready(made: Awaited<ReturnType<typeof withSet>>, ...ordinals: readonly number[]) {
  for (const ordinal of ordinals) await made.ready(`db-${ordinal}`)
}

describe('a StatefulSet', () => {
  it('makes its pods one after the other, each once the one before is ready', async () => {
    const made = await withSet('replicas: 3')
    expect(made.names()).toEqual(['db-0'])
    await ready(made, 0)
    expect(made.names()).toEqual(['db-0', 'db-1'])
    await ready(made, 1)
    await ready(made, 2)
    expect(made.names()).toEqual(['db-0', 'db-1', 'db-2'])
    expect(made.stored().status).toEqual({
      observedGeneration: 1,
      replicas: 3,
      readyReplicas: 3,
      updatedReplicas: 3,
    })
  })

  it('gives its pods their names in the service, and labels that tell them apart', async () => {
    const made = await withSet('replicas: 1\n  ordinals: { start: 5 }')
    expect(made.podNamed('db-5').spec).toMatchObject({ hostname: 'db-5', subdomain: 'db' })
    expect(made.podNamed('db-5').metadata.labels).toMatchObject({
      app: 'db',
      'statefulset.kubernetes.io/pod-name': 'db-5',
      'apps.kubernetes.io/pod-index': '5',
    })
  })

  it('with Parallel makes and takes away all at once', async () => {
    const made = await withSet('replicas: 3\n  podManagementPolicy: Parallel')
    expect(made.names()).toEqual(['db-0', 'db-1', 'db-2'])
    await made.scale(1)
    expect(made.ending()).toEqual(['db-1', 'db-2'])
  })

  it('takes pods away from the highest number down, each once the one after it is gone', async () => {
    const made = await withSet('replicas: 3')
    await ready(made, 0, 1, 2)
    await made.scale(1)
    expect(made.ending()).toEqual(['db-2'])
    await made.gone('db-2')
    expect(made.ending()).toEqual(['db-1'])
    await made.gone('db-1')
    expect(made.names()).toEqual(['db-0'])
    expect(made.ending()).toEqual([])
  })

  it('waits for minReadySeconds before the next pod', async () => {
    const made = await withSet('replicas: 2\n  minReadySeconds: 10')
    await ready(made, 0)
    expect(made.names()).toEqual(['db-0'])
    await made.clock.advance(10_000)
    expect(made.names()).toEqual(['db-0', 'db-1'])
  })

  it('makes a pod again under its name, once the old one is gone', async () => {
    const made = await withSet('replicas: 2')
    await ready(made, 0, 1)
    const { uid } = made.podNamed('db-0').metadata
    const ending = made.podNamed('db-0')
    await made.put({ ...ending, metadata: { ...ending.metadata, deletionTimestamp: '2025-01-01T00:00:30Z' } })
    expect(made.podNamed('db-0').metadata.uid).toBe(uid)
    await made.gone('db-0')
    expect(made.podNamed('db-0').metadata.uid).not.toBe(uid)
  })

  it('is updated from the highest number down, one after the other', async () => {
    const made = await withSet('replicas: 3')
    await ready(made, 0, 1, 2)
    await made.restart()
    const order: string[] = []
    for (const ordinal of [2, 1, 0]) {
      order.push(...made.ending())
      await made.gone(`db-${ordinal}`)
      expect(made.ending()).toEqual([])
      await ready(made, ordinal)
    }
    expect(order).toEqual(['db-2', 'db-1', 'db-0'])
    expect(made.ending()).toEqual([])
    expect(made.stored().status?.updatedReplicas).toBe(3)
  })

  it('is updated down to its partition; below it pods keep coming from the old template', async () => {
    const made = await withSet('replicas: 3\n  updateStrategy: { rollingUpdate: { partition: 1 } }')
    await ready(made, 0, 1, 2)
    const [old] = made.revisions()
    await made.restart()
    for (const ordinal of [2, 1]) {
      await made.gone(`db-${ordinal}`)
      await ready(made, ordinal)
    }
    expect(made.ending()).toEqual([])
    expect(made.revisions().map((revision) => revision === old)).toEqual([true, false, false])
    await made.gone('db-0')
    expect(made.podNamed('db-0').metadata.labels[revisionLabel]).toBe(old)
  })

  it('with OnDelete leaves its pods until somebody deletes them', async () => {
    const made = await withSet('replicas: 1\n  updateStrategy: { type: OnDelete }')
    await ready(made, 0)
    const [old] = made.revisions()
    await made.restart()
    expect(made.ending()).toEqual([])
    await made.gone('db-0')
    expect(made.revisions()).not.toEqual([old])
  })

  it('never takes a name from a pod that is not its own, and says so', async () => {
    const made = bench()
    await made.node('n1')
    await made.put(...pod('db-0', '{ app: stranger }'))
    const { uid } = made.podNamed('db-0').metadata
    await made.put(...set('replicas: 1'))
    expect(made.podNamed('db-0').metadata.uid).toBe(uid)
    expect(made.loop.problems()).toEqual([
      'statefulset default/db: pod db-0 is there already and is not its own',
    ])
    await made.gone('db-0')
    expect(made.podNamed('db-0').metadata.labels.app).toBe('db')
    expect(made.loop.problems()).toEqual([])
  })

  it('adopts a pod of one of its names that nobody owns', async () => {
    const made = bench()
    await made.node('n1')
    await made.put(...pod('db-0', '{ app: db }'))
    await made.put(...set('replicas: 1'))
    expect(made.podNamed('db-0').metadata.ownerReferences).toMatchObject([
      { kind: 'StatefulSet', name: 'db' },
    ])
  })

  it('that is made again while the pods of its predecessor end waits for their names', async () => {
    const made = await withSet('replicas: 1')
    await ready(made, 0)
    made.table.remove('StatefulSet', 'db', 'default')
    await made.loop.idle()
    const { uid } = made.podNamed('db-0').metadata
    await made.put(...set('replicas: 1'))
    expect(made.podNamed('db-0').metadata.uid).toBe(uid)
    await made.gone('db-0')
    expect(made.podNamed('db-0').metadata.uid).not.toBe(uid)
  })
})
