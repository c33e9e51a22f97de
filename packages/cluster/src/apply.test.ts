import type { KubeObject } from '@podfabric/kube'
import { prefix } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { apply } from './apply.ts'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'

const deployment = (spec: string, labels = '{ app: web }') =>
  manifest(`
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  ${spec}
  selector: { matchLabels: ${labels} }
  template: { metadata: { labels: ${labels} }, spec: { containers: [{ name: main }] } }
`)
const pod = (name: string, spec = 'containers: [{ name: main }]', metadata = '') =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name}${metadata} }
spec: { ${spec} }
`)
const service = (name: string, spec = '') =>
  manifest(`
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [{ port: 80 }]${spec} }
`)
const namespace = (name: string) =>
  manifest(`{ apiVersion: v1, kind: Namespace, metadata: { name: ${name} } }`)

async function empty() {
  const made = bench()
  await made.node('n1')
  await made.put(...namespace('default'))
  const put = async (objects: readonly KubeObject[]) => {
    const applied = apply(made.table, objects, { serviceRanges: [prefix('10.96.0.0/12')] })
    await made.loop.idle()
    return applied.map(({ object, outcome }) => `${object.metadata.name} ${outcome}`)
  }
  return { ...made, apply: put }
}

describe('apply', () => {
  it('says what it did with each object', async () => {
    const made = await empty()
    expect(await made.apply([...deployment('replicas: 1'), ...pod('a')])).toEqual([
      'web created',
      'a created',
    ])
    expect(await made.apply([...deployment('replicas: 2'), ...pod('a')])).toEqual([
      'web configured',
      'a unchanged',
    ])
  })

  it('keeps what the cluster wrote: status, placement, service addresses, owners', async () => {
    const made = await empty()
    const all = [...deployment('replicas: 1'), ...pod('a'), ...service('s')]
    await made.apply(all)
    const kept = () => [
      made.table.get('Deployment', 'web', 'default'),
      made.podNamed('a'),
      made.table.get('Service', 's', 'default'),
    ]
    const before = kept()
    expect(before[1]).toMatchObject({ spec: { nodeName: 'n1' } })
    expect(before[2]).toMatchObject({ spec: { clusterIP: '10.96.0.1' } })
    expect(await made.apply(all)).toEqual(['web unchanged', 'a unchanged', 's unchanged'])
    expect(kept()).toEqual(before)

    const [set] = made.table.list('ReplicaSet')
    if (!set) throw new Error('no ReplicaSet')
    const { status, ...written } = set
    await made.apply([
      { ...written, metadata: { ...written.metadata, ownerReferences: [], annotations: { a: 'b' } } },
    ])
    expect(made.table.list('ReplicaSet')[0]?.metadata.ownerReferences).toEqual(set.metadata.ownerReferences)
  })

  it('takes objects of a namespace that comes with them, wherever it stands', async () => {
    const made = await empty()
    const inShop = pod('a', 'containers: [{ name: main }]', ', namespace: shop')
    expect(await made.apply([...inShop, ...namespace('shop')])).toEqual(['a created', 'shop created'])
  })

  it('changes a running pod’s labels, and nothing else of it', async () => {
    const made = await empty()
    await made.apply(pod('a'))
    expect(await made.apply(pod('a', 'containers: [{ name: main }]', ', labels: { tier: front }'))).toEqual([
      'a configured',
    ])
    expect(made.podNamed('a')).toMatchObject({
      metadata: { labels: { tier: 'front' } },
      spec: { nodeName: 'n1' },
    })
  })

  it.each<[string, readonly KubeObject[], string]>([
    [
      'an object in a namespace that is not there',
      pod('b', 'containers: [{ name: main }]', ', namespace: shop'),
      'pod shop/b: there is no namespace shop; apply a Namespace of that name with it',
    ],
    [
      'a node',
      manifest('{ apiVersion: v1, kind: Node, metadata: { name: n9 } }'),
      'node n9: nodes join by themselves; leave it out, and add a node instead',
    ],
    [
      'another specification for a pod',
      pod('a', 'containers: [{ name: other }]'),
      'pod default/a: its specification cannot change while it is there; delete it first',
    ],
    [
      'two specifications for a pod at once',
      [...pod('new'), ...pod('new', 'containers: [{ name: other }]')],
      'pod default/new: its specification cannot change while it is there; delete it first',
    ],
    [
      'another selector',
      deployment('replicas: 1', '{ app: other }'),
      'deployment default/web: its selector cannot change while it is there; delete it first',
    ],
    [
      'a service address that is taken',
      service('thief', ', clusterIP: 10.96.0.1'),
      'service default/thief: clusterIP 10.96.0.1 belongs to service default/s',
    ],
    [
      'a service address twice in one go',
      [...service('one', ', clusterIP: 10.96.9.9'), ...service('two', ', clusterIP: 10.96.9.9')],
      'service default/two: clusterIP 10.96.9.9 belongs to service default/one',
    ],
    [
      'a service address from elsewhere',
      service('far', ', clusterIP: 192.0.2.1'),
      'service default/far: clusterIP 192.0.2.1 is not in 10.96.0.0/12',
    ],
  ])('refuses %s, and then changes nothing', async (_what, wrong, message) => {
    const made = await empty()
    await made.apply([...deployment('replicas: 1'), ...pod('a'), ...service('s')])
    const everything = () =>
      (['Namespace', 'Pod', 'Service', 'Deployment', 'ReplicaSet'] as const).flatMap((kind) => [
        ...made.table.list(kind),
      ])
    const before = everything()
    await expect(made.apply([...pod('first'), ...wrong])).rejects.toMatchObject({
      code: 'CLUSTER_INVALID',
      message,
    })
    expect(everything()).toEqual(before)
  })
})
