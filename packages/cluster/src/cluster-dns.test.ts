import { ip } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { dnsService, isDnsPod, nameserversFor, zoneOf } from './cluster-dns.ts'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'

const web = manifest(`
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: None, selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: a, labels: { app: web } }
spec: { containers: [{ name: main }] }
`)

describe('the zone', () => {
  it('has the records of the objects there were, and follows those that change', async () => {
    const made = bench()
    await made.node('n1')
    await made.put(...web)
    await made.address('a', ip('10.244.1.2'))
    const zone = zoneOf(made.table, { zone: 'cluster.local', ttl: 5 })
    const addresses = () =>
      zone
        .find('web.default.svc.cluster.local')
        ?.get('A')
        ?.map((one) => 'address' in one && one.address) ?? []
    expect(zone.synced).toBe(true)
    expect(addresses()).toEqual([])
    await made.ready('a')
    expect(addresses()).toEqual(['10.244.1.2'])
    await made.unready('a')
    expect(addresses()).toEqual([])
    await made.ready('a')
    await made.gone('a')
    expect(addresses()).toEqual([])
    made.table.remove('Service', 'web', 'default')
    expect(zone.find('web.default.svc.cluster.local')).toBeUndefined()
  })
})

describe('DNS pods', () => {
  const dnsPods = (made: ReturnType<typeof bench>) =>
    made.pods('kube-system').map(({ metadata }) => metadata.name)

  it('are one on each node that is ready, come back when they are deleted, and go with their node', async () => {
    const made = bench()
    await made.node('n1')
    await made.node('n2')
    await made.node('silent', { ready: false })
    expect(dnsPods(made)).toEqual(['dns-n1', 'dns-n2'])
    const [first] = made.pods('kube-system')
    if (!first) throw new Error('there is none')
    expect(isDnsPod(first)).toBe(true)
    made.table.remove('Pod', 'dns-n1', 'kube-system')
    await made.loop.idle()
    expect(dnsPods(made)).toEqual(['dns-n1', 'dns-n2'])
    made.table.remove('Node', 'n2')
    await made.loop.idle()
    expect(dnsPods(made)).toEqual(['dns-n1'])
  })

  it('are the nameservers of all nodes, each node’s own first, three at most', async () => {
    const made = bench()
    for (const [i, name] of ['n1', 'n2', 'n3', 'n4'].entries()) {
      await made.node(name)
      const pod = made.table.get('Pod', `dns-${name}`, 'kube-system')
      if (!pod?.status) throw new Error('there is none')
      const address = ip(`10.244.${i + 1}.2`)
      await made.put({ ...pod, status: { ...pod.status, podIPs: [{ ip: address }] } })
    }
    expect(nameserversFor('n3', made.table)).toEqual(['10.244.3.2', '10.244.1.2', '10.244.2.2'])
    expect(nameserversFor('n1', made.table)).toEqual(['10.244.1.2', '10.244.2.2', '10.244.3.2'])
    made.table.remove('Pod', 'dns-n3', 'kube-system')
    expect(nameserversFor('n3', made.table)).toEqual(['10.244.1.2', '10.244.2.2', '10.244.4.2'])
  })

  it('stand behind a service that has an address', async () => {
    const made = bench()
    await made.put(dnsService)
    expect(made.table.get('Service', 'kube-dns', 'kube-system')?.spec.clusterIP).toBe('10.96.0.1')
  })
})
