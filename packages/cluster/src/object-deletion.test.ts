import type { KubeObject } from '@podfabric/kube'
import { describe, expect, it } from 'vitest'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'
import { deleteObject } from './object-deletion.ts'
import { isTerminating } from './owned.ts'
import { deletePod, graceLeft } from './pod-deletion.ts'

const shop = manifest(`
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: main }] } }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
`)

async function withShop() {
  const made = bench()
  await made.node('n1')
  await made.put(...shop)
  const remove = async (object: KubeObject | undefined, seconds?: number) => {
    if (!object) throw new Error('no such object')
    const options = seconds === undefined ? {} : { gracePeriodSeconds: seconds }
    deleteObject(made.table, object, made.clock.now(), options)
    await made.loop.idle()
  }
  return { ...made, remove, inShop: () => made.pods('shop') }
}

describe('deleting', () => {
  it('a Deployment takes its sets and, with their grace, its pods', async () => {
    const { remove, table, inShop } = await withShop()
    await remove(table.get('Deployment', 'web', 'shop'))
    expect(table.list('ReplicaSet')).toEqual([])
    expect(inShop()).toHaveLength(2)
    expect(inShop().every(isTerminating)).toBe(true)
  })

  it('a namespace takes everything in it, and nothing else', async () => {
    const { remove, table, inShop } = await withShop()
    await remove(table.get('Namespace', 'shop'))
    for (const kind of ['Deployment', 'ReplicaSet', 'Service', 'EndpointSlice'] as const) {
      expect(table.list(kind, 'shop')).toEqual([])
    }
    expect(inShop().every(isTerminating)).toBe(true)
    expect(table.get('Namespace', 'shop')).toBeUndefined()
    expect(table.list('Node')).toHaveLength(1)
  })

  it('a pod marks it with the moment of its end; sooner is possible, later is not', async () => {
    const { remove, table, inShop, clock } = await withShop()
    const [pod] = inShop()
    const stored = () => table.get('Pod', pod?.metadata.name ?? '', 'shop')
    await remove(stored())
    expect(stored()?.metadata.deletionTimestamp).toBe('2025-01-01T00:00:30.000Z')
    await remove(stored(), 60)
    expect(stored()?.metadata.deletionTimestamp).toBe('2025-01-01T00:00:30.000Z')
    await remove(stored(), 5)
    expect(stored()?.metadata.deletionTimestamp).toBe('2025-01-01T00:00:05.000Z')
    const ending = stored()
    if (!ending) throw new Error('it is gone')
    expect(graceLeft(ending, clock.now())).toBe(5000)
    expect(graceLeft(ending, clock.now() + 6000)).toBe(0)
  })

  it('a pod that no node has takes it away at once', async () => {
    const made = bench(() => [])
    const [pod] = manifest(`
apiVersion: v1
kind: Pod
metadata: { name: web }
spec: { nodeName: nowhere, containers: [{ name: main }] }
`)
    if (pod?.kind !== 'Pod') throw new Error('no pod')
    deletePod(made.table, made.table.put(pod), 0)
    expect(made.pods()).toEqual([])
  })

  it('a node or one of the cluster’s own namespaces is refused', async () => {
    const { remove, table, put } = await withShop()
    await put(...manifest('{ apiVersion: v1, kind: Namespace, metadata: { name: kube-system } }'))
    await expect(remove(table.get('Node', 'n1'))).rejects.toThrow(
      'node n1: take the node out of the cluster instead',
    )
    await expect(remove(table.get('Namespace', 'kube-system'))).rejects.toMatchObject({
      code: 'CLUSTER_INVALID',
    })
  })
})

describe('garbage', () => {
  it('is what has owners of which none is there', async () => {
    const { table, loop } = await withShop()
    const slice = (name: string, ...uids: readonly (string | undefined)[]) => {
      const [object] = manifest(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name} }
addressType: IPv4
endpoints: []
`)
      if (!object) throw new Error('no slice')
      const ownerReferences = uids.map((uid = '') => ({
        apiVersion: 'v1',
        kind: 'Service',
        name: 'web',
        uid,
        controller: false,
      }))
      table.put({ ...object, metadata: { ...object.metadata, ownerReferences } } as KubeObject)
    }
    const uid = table.get('Service', 'web', 'shop')?.metadata.uid
    slice('free')
    slice('owned', uid)
    slice('shared', 'gone', uid)
    slice('orphan', 'gone', 'gone-too')
    await loop.idle()
    const names = table.list('EndpointSlice', 'default').map(({ metadata }) => metadata.name)
    expect(names).toEqual(['free', 'owned', 'shared'])
  })
})
