import type { EndpointSlice, KubeObject } from '@podfabric/kube'
import { ip } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'

const service = (spec: string) =>
  manifest(`
apiVersion: v1
kind: Service
metadata: { name: web, labels: { team: shop } }
spec: { ${spec} }
`)

const pod = (name: string, more = '', ports = '[{ containerPort: 8080, name: http }]') =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name}, labels: { app: web } }
spec: { containers: [{ name: main, ports: ${ports} }]${more} }
`)

async function withPods(...objects: readonly KubeObject[]) {
  const made = bench()
  await made.node('n1')
  await made.put(...objects)
  const slices = () => made.table.list('EndpointSlice', 'default')
  return { ...made, slices }
}

const shown = (slices: readonly EndpointSlice[]) =>
  slices.map(({ metadata, endpoints, ports }) => ({
    name: metadata.name,
    addresses: endpoints.flatMap(({ addresses }) => addresses),
    ports: ports.map(({ name, port }) => `${name}:${port}`),
  }))

describe('endpoints', () => {
  it('are the pods that the selector matches, once they have an address', async () => {
    const made = await withPods(
      ...service('selector: { app: web }, ports: [{ port: 80, targetPort: 8080, appProtocol: http }]'),
      ...pod('a'),
    )
    expect(made.slices()).toEqual([])
    await made.address('a', ip('10.244.1.2'))
    expect(made.slices()).toMatchObject([
      {
        metadata: { name: 'web-ipv4', labels: { team: 'shop', 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        endpoints: [
          {
            addresses: ['10.244.1.2'],
            nodeName: 'n1',
            conditions: { ready: false, serving: false, terminating: false },
            targetRef: { kind: 'Pod', name: 'a', namespace: 'default' },
          },
        ],
        ports: [{ name: '', port: 8080, protocol: 'TCP', appProtocol: 'http' }],
      },
    ])
    await made.gone('a')
    expect(made.slices()).toEqual([])
  })

  it('are ready with the pod, and serve on while it ends', async () => {
    const made = await withPods(...service('selector: { app: web }, ports: [{ port: 80 }]'), ...pod('a'))
    const conditions = () => made.slices()[0]?.endpoints[0]?.conditions
    await made.address('a', ip('10.244.1.2'))
    await made.ready('a')
    expect(conditions()).toEqual({ ready: true, serving: true, terminating: false })
    const ending = made.podNamed('a')
    await made.put({ ...ending, metadata: { ...ending.metadata, deletionTimestamp: '2025-01-01T00:00:30Z' } })
    expect(conditions()).toEqual({ ready: false, serving: true, terminating: true })
    await made.unready('a')
    expect(conditions()).toEqual({ ready: false, serving: false, terminating: true })
  })

  it('are ready always where the service publishes addresses that are not', async () => {
    const made = await withPods(
      ...service('clusterIP: None, publishNotReadyAddresses: true, selector: { app: web }'),
      ...pod('a'),
    )
    await made.address('a', ip('10.244.1.2'))
    expect(made.slices()[0]?.endpoints[0]?.conditions).toEqual({
      ready: true,
      serving: false,
      terminating: false,
    })
  })

  it('have a port’s number by its name, one slice for each set of numbers', async () => {
    const made = await withPods(
      ...service('selector: { app: web }, ports: [{ port: 80, name: web, targetPort: http }]'),
      ...pod('a'),
      ...pod('b', '', '[{ containerPort: 9090, name: http }]'),
      ...pod('c'),
      ...pod('d', '', '[{ containerPort: 53, name: http, protocol: UDP }]'),
    )
    for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) await made.address(name, ip(`10.244.1.${i + 2}`))
    expect(shown(made.slices())).toEqual([
      { name: 'web-ipv4', addresses: ['10.244.1.5'], ports: [] },
      { name: 'web-ipv4-2', addresses: ['10.244.1.2', '10.244.1.4'], ports: ['web:8080'] },
      { name: 'web-ipv4-3', addresses: ['10.244.1.3'], ports: ['web:9090'] },
    ])
    await made.gone('b')
    await made.gone('d')
    expect(shown(made.slices())).toEqual([
      { name: 'web-ipv4', addresses: ['10.244.1.2', '10.244.1.4'], ports: ['web:8080'] },
    ])
  })

  it('of both families are in a slice each', async () => {
    const made = await withPods(...service('selector: { app: web }, ports: [{ port: 80 }]'), ...pod('a'))
    await made.address('a', ip('10.244.1.2'), ip('fd00::2'))
    expect(shown(made.slices())).toEqual([
      { name: 'web-ipv4', addresses: ['10.244.1.2'], ports: [':80'] },
      { name: 'web-ipv6', addresses: ['fd00::2'], ports: [':80'] },
    ])
  })

  it('have a hostname where the pod’s subdomain is the service', async () => {
    const made = await withPods(
      ...service('clusterIP: None, selector: { app: web }'),
      ...pod('a', ', hostname: first, subdomain: web'),
      ...pod('b', ', hostname: second, subdomain: other'),
    )
    await made.address('a', ip('10.244.1.2'))
    await made.address('b', ip('10.244.1.3'))
    expect(made.slices()[0]?.endpoints.map(({ hostname }) => hostname)).toEqual(['first', undefined])
  })

  it('of a service without a selector are somebody else’s, of an ExternalName there are none', async () => {
    const slice = manifest(`
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: by-hand, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
endpoints: [{ addresses: [192.0.2.1] }]
ports: [{ port: 80 }]
`)
    const made = await withPods(...service('ports: [{ port: 80 }]'), ...slice, ...pod('a'))
    await made.address('a', ip('10.244.1.2'))
    expect(shown(made.slices()).map(({ name }) => name)).toEqual(['by-hand'])
    await made.put(...service('selector: { app: web }, ports: [{ port: 80 }]'))
    expect(shown(made.slices()).map(({ name }) => name)).toEqual(['by-hand', 'web-ipv4'])
    await made.put(...service('type: ExternalName, externalName: example.com, selector: { app: web }'))
    expect(shown(made.slices()).map(({ name }) => name)).toEqual(['by-hand'])
  })
})
