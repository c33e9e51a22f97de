import { sleep } from '@podfabric/kernel'
import { virtualClock } from '@podfabric/kernel-sim'
import { describe, expect, it } from 'vitest'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'
import { type SettledOptions, settled, unsettled } from './settled.ts'

const web = manifest(`
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: main }] } }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 1
  serviceName: ''
  selector: { matchLabels: { app: db } }
  template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: main }] } }
`)

async function applied() {
  const made = bench()
  const clock = virtualClock()
  await made.node('n1')
  await made.put(...web)
  const wait = (options?: SettledOptions) => settled(made.table, made.loop, clock, options)
  return { ...made, virtual: clock, wait }
}

describe('settled', () => {
  it('resolves once every replica is available, as time passes by itself', async () => {
    const made = await applied()
    const before = made.virtual.now()
    const waiting = made.wait()
    await sleep(made.virtual, 5000)
    await made.ready(...made.names().filter((name) => name.startsWith('web')))
    await sleep(made.virtual, 5000)
    await made.ready('db-0')
    await waiting
    expect(made.virtual.now() - before).toBe(10_000)
    await made.wait({ timeout: 0 })
  })

  it('says what is missing when it takes too long, the first five of it', async () => {
    const made = await applied()
    const before = made.virtual.now()
    await expect(made.wait({ timeout: 3000 })).rejects.toMatchObject({
      code: 'CLUSTER_NOT_SETTLED',
      message: expect.stringMatching(
        /^not settled after 3 s: deployment default\/web: 0 available, 2 up to date, 2 wished; statefulset default\/db: 0 ready, 1 up to date, 1 wished; replicaset default\/web-\w+: 0 ready, 2 wished; pod default\/db-0: not ready; pod .*: not ready; and 1 more$/,
      ),
    })
    expect(made.virtual.now() - before).toBe(3000)
  })

  it('waits for what else is asked for', async () => {
    const made = await applied()
    await made.ready(...made.names())
    const wishes = ['a blue sky']
    const waiting = made.wait({ timeout: 9000, also: () => wishes })
    await sleep(made.virtual, 1000)
    wishes.length = 0
    await made.put(...manifest('{ apiVersion: v1, kind: Namespace, metadata: { name: news } }'))
    await waiting
    const never = made.wait({ timeout: 1000, also: () => ['world peace'] })
    await expect(never).rejects.toThrow('not settled after 1 s: world peace')
  })

  it('waits for problems of the control plane to be solved', async () => {
    const made = await applied()
    await made.ready(...made.names())
    const v6 = manifest(`
apiVersion: v1
kind: Service
metadata: { name: six }
spec: { ipFamilies: [IPv6], ports: [{ port: 80 }] }
`)
    await made.put(...v6)
    await expect(made.wait({ timeout: 1000 })).rejects.toThrow(
      'service default/six: the cluster has no IPv6 range',
    )
  })
})

describe('what is unsettled', () => {
  it('names pods that end, that nobody can place, whose node is not there or silent, and what a pod says itself', async () => {
    const made = bench()
    await made.node('n1')
    const pod = (name: string, more = '') =>
      manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { containers: [{ name: main }]${more} }
`)
    await made.node('silent')
    await made.put(
      ...pod('ending'),
      ...pod('lost', ', nodeName: nowhere'),
      ...pod('on-silent', ', nodeName: silent'),
      ...pod('picky', ', nodeSelector: { disk: ssd }'),
      ...pod('sick', ', nodeName: n1'),
      ...pod('well', ', nodeName: n1'),
    )
    await made.ready('on-silent', 'well')
    await made.node('silent', { ready: false })
    const { metadata, ...ending } = made.podNamed('ending')
    await made.put({ ...ending, metadata: { ...metadata, deletionTimestamp: '2025-01-01T00:00:30Z' } })
    const sick = made.podNamed('sick')
    await made.put({
      ...sick,
      status: { phase: 'Pending', podIPs: [], conditions: [], message: 'no network' },
    })
    expect(unsettled(made.table).filter((one) => one.startsWith('pod default'))).toEqual([
      'pod default/ending: is ending',
      'pod default/lost: there is no node nowhere',
      'pod default/on-silent: its node silent is silent',
      'pod default/picky: 0 of 2 nodes fit: 1 without the selected labels, 1 not ready',
      'pod default/sick: no network',
    ])
  })

  it('is a StatefulSet in the middle of an update, down to its partition', async () => {
    const made = await applied()
    await made.ready(...made.names())
    const set = made.table.get('StatefulSet', 'db', 'default')
    if (!set) throw new Error('no set')
    const status = {
      observedGeneration: set.metadata.generation ?? 0,
      replicas: 1,
      readyReplicas: 1,
      updatedReplicas: 0,
    }
    made.loop[Symbol.dispose]()
    made.table.put({ ...set, status })
    expect(unsettled(made.table)).toEqual(['statefulset default/db: 1 ready, 0 up to date, 1 wished'])
    const updateStrategy = { type: 'RollingUpdate', rollingUpdate: { partition: 1 } } as const
    const partitioned = made.table.put({ ...set, spec: { ...set.spec, updateStrategy } })
    made.table.put({
      ...partitioned,
      status: { ...status, observedGeneration: partitioned.metadata.generation ?? 0 },
    })
    expect(unsettled(made.table)).toEqual([])
  })
})
