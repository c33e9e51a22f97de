import { readManifests } from '@podfabric/kube'
import { describe, expect, test } from 'vitest'
import { formatRecord } from '../message/format.ts'
import { rcodeName } from '../message/message.ts'
import type { QuestionType } from '../message/record-type.ts'
import { type ClusterZoneOptions, clusterZone } from './cluster-zone.ts'
import { resolve } from './resolve.ts'

const manifests = `
apiVersion: v1
kind: Namespace
metadata: {name: empty}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
endpoints: [{addresses: [10.244.1.1], hostname: db-0}, {addresses: [10.244.1.2], hostname: db-1}, {addresses: [10.244.1.3], hostname: db-2}]
ports: [{name: sql, port: 5432}]
---
apiVersion: v1
kind: Service
metadata: {name: idle}
spec: {clusterIP: None}
---
apiVersion: v1
kind: Service
metadata: {name: out}
spec: {type: ExternalName, externalName: db.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: alias}
spec: {type: ExternalName, externalName: web.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: dangling}
spec: {type: ExternalName, externalName: gone.default.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: loop}
spec: {type: ExternalName, externalName: loop.default.svc.cluster.local}
`

function zoneWith(options: ClusterZoneOptions = {}) {
  const zone = clusterZone(options)
  const { objects, errors } = readManifests(manifests, { file: 'test.yaml' })
  expect(errors).toEqual([])
  for (const { object } of objects) {
    if (object.kind === 'Namespace' || object.kind === 'Service' || object.kind === 'EndpointSlice') {
      zone.update({ type: 'put', object })
    }
  }
  zone.markSynced()
  return zone
}

const zone = zoneWith()

function ask(name: string, type: QuestionType, in_ = zone, random = () => 0.999) {
  const resolution = resolve([in_], { name, type, class: 'IN' }, { random })
  return {
    rcode: rcodeName(resolution.rcode),
    answers: resolution.answers.map(formatRecord),
    authorities: resolution.authorities.map(formatRecord),
    additionals: resolution.additionals.map(formatRecord),
  }
}

/** The code, and how many answers: NODATA is NOERROR with none. */
function verdict(name: string, type: QuestionType, in_ = zone): string {
  const { rcode, answers, authorities } = ask(name, type, in_)
  const hasSoa = authorities.some((line) => line.includes(' SOA '))
  if (rcode === 'NOERROR' && answers.length === 0) return hasSoa ? 'NODATA' : 'NOERROR without SOA'
  return rcode === 'NXDOMAIN' && !hasSoa ? 'NXDOMAIN without SOA' : rcode
}

describe('which names there are', () => {
  const cases: readonly (readonly [string, QuestionType, string])[] = [
    ['cluster.local', 'A', 'NODATA'],
    ['cluster.local', 'SOA', 'NOERROR'],
    ['cluster.local', 'NS', 'NOERROR'],
    ['svc.cluster.local', 'A', 'NODATA'],
    ['pod.cluster.local', 'A', 'NODATA'],
    ['default.svc.cluster.local', 'A', 'NODATA'],
    ['empty.svc.cluster.local', 'A', 'NODATA'],
    ['nowhere.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['other.cluster.local', 'A', 'NXDOMAIN'],
    ['web.default.svc.cluster.local', 'A', 'NOERROR'],
    ['web.default.svc.cluster.local', 'AAAA', 'NODATA'],
    ['web.default.svc.cluster.local', 'TXT', 'NODATA'],
    ['web.default.svc.cluster.local', 'TYPE65', 'NODATA'],
    ['none.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['a.b.c.web.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['_http._tcp.web.default.svc.cluster.local', 'SRV', 'NOERROR'],
    ['_http._tcp.web.default.svc.cluster.local', 'A', 'NODATA'],
    ['_tcp.web.default.svc.cluster.local', 'SRV', 'NODATA'],
    ['_https._tcp.web.default.svc.cluster.local', 'SRV', 'NXDOMAIN'],
    ['_http._udp.web.default.svc.cluster.local', 'SRV', 'NXDOMAIN'],
    ['db.default.svc.cluster.local', 'A', 'NOERROR'],
    ['db-1.db.default.svc.cluster.local', 'A', 'NOERROR'],
    ['db-1.db.default.svc.cluster.local', 'AAAA', 'NODATA'],
    ['db-9.db.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['idle.default.svc.cluster.local', 'A', 'NXDOMAIN'],
    ['7.0.96.10.in-addr.arpa', 'PTR', 'NOERROR'],
    ['2.1.244.10.in-addr.arpa', 'PTR', 'NOERROR'],
    ['0.96.10.in-addr.arpa', 'PTR', 'NODATA'],
    ['9.9.9.9.in-addr.arpa', 'PTR', 'NXDOMAIN'],
    ['example.com', 'A', 'REFUSED'],
    ['local', 'A', 'REFUSED'],
    ['.', 'NS', 'REFUSED'],
    ['cluster.local', 'AXFR', 'REFUSED'],
    ['10-244-1-1.default.pod.cluster.local', 'A', 'NXDOMAIN'],
    ['dns-version.cluster.local', 'TXT', 'NOERROR'],
  ]
  test.each(cases)('%s %s is %s', (name, type, expected) => {
    expect(verdict(name, type)).toBe(expected)
  })

  test('nothing is known before the zone is synced', () => {
    expect(ask('web.default.svc.cluster.local', 'A', clusterZone())).toEqual({
      rcode: 'SERVFAIL',
      answers: [],
      authorities: [],
      additionals: [],
    })
  })

  test('another class is refused', () => {
    const question = { name: 'web.default.svc.cluster.local', type: 'A', class: 'CH' } as const
    expect(rcodeName(resolve([zone], question, { random: () => 0 }).rcode)).toBe('REFUSED')
  })

  test('the longest apex wins, whatever the order of the zones', () => {
    const inner = clusterZone({ zone: 'default.svc.cluster.local' })
    inner.markSynced()
    const question = { name: 'web.default.svc.cluster.local', type: 'A', class: 'IN' } as const
    for (const zones of [
      [zone, inner],
      [inner, zone],
    ]) {
      expect(rcodeName(resolve(zones, question, { random: () => 0 }).rcode)).toBe('NXDOMAIN')
    }
  })
})

describe('what an answer holds', () => {
  test('the name in the case of the question', () => {
    expect(ask('WEB.Default.svc.CLUSTER.local', 'A').answers).toEqual([
      'WEB.Default.svc.CLUSTER.local. 5 IN A 10.96.0.7',
    ])
  })

  test('"no" comes with the SOA record of its zone', () => {
    expect(ask('none.default.svc.cluster.local', 'A').authorities).toEqual([
      `cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. ${zone.serial} 7200 1800 86400 5`,
    ])
    expect(ask('9.9.9.9.in-addr.arpa', 'PTR').authorities[0]).toMatch(/^in-addr\.arpa\. 5 IN SOA /)
  })

  test('SRV records of a headless service share the weight and bring the addresses along', () => {
    const { answers, additionals } = ask('_sql._tcp.db.default.svc.cluster.local', 'SRV')
    expect(answers).toEqual([
      '_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 33 5432 db-0.db.default.svc.cluster.local.',
      '_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 33 5432 db-1.db.default.svc.cluster.local.',
      '_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 33 5432 db-2.db.default.svc.cluster.local.',
    ])
    expect(additionals).toEqual([
      'db-0.db.default.svc.cluster.local. 5 IN A 10.244.1.1',
      'db-1.db.default.svc.cluster.local. 5 IN A 10.244.1.2',
      'db-2.db.default.svc.cluster.local. 5 IN A 10.244.1.3',
    ])
  })

  test('the addresses in an order that `random` gives, each of them once', () => {
    const orders = new Set(
      [0, 0.3, 0.6, 0.99].map((value) =>
        ask('db.default.svc.cluster.local', 'A', zone, () => value).answers.join(),
      ),
    )
    expect(orders.size).toBeGreaterThan(1)
    for (const order of orders) expect(new Set(order.split(',')).size).toBe(3)
  })

  test('an ExternalName outside, as it stands', () => {
    expect(ask('out.default.svc.cluster.local', 'A')).toMatchObject({
      rcode: 'NOERROR',
      answers: ['out.default.svc.cluster.local. 5 IN CNAME db.example.com.'],
    })
    expect(ask('out.default.svc.cluster.local', 'CNAME').answers).toHaveLength(1)
  })

  test('an ExternalName inside, followed', () => {
    expect(ask('alias.default.svc.cluster.local', 'A').answers).toEqual([
      'alias.default.svc.cluster.local. 5 IN CNAME web.default.svc.cluster.local.',
      'web.default.svc.cluster.local. 5 IN A 10.96.0.7',
    ])
    expect(ask('alias.default.svc.cluster.local', 'AAAA')).toMatchObject({
      rcode: 'NOERROR',
      authorities: [expect.anything()],
    })
    expect(ask('dangling.default.svc.cluster.local', 'A')).toMatchObject({
      rcode: 'NXDOMAIN',
      answers: [expect.anything()],
    })
  })

  test('an ExternalName that leads to itself, once', () => {
    expect(ask('loop.default.svc.cluster.local', 'A').answers).toHaveLength(1)
  })

  test('ANY gets one set of records, not all of them', () => {
    const { rcode, answers } = ask('web.default.svc.cluster.local', 'ANY')
    expect(rcode).toBe('NOERROR')
    expect(answers).toEqual(['web.default.svc.cluster.local. 5 IN A 10.96.0.7'])
  })

  test('the way back of a service and of a headless endpoint', () => {
    expect(ask('7.0.96.10.in-addr.arpa', 'PTR').answers).toEqual([
      '7.0.96.10.in-addr.arpa. 5 IN PTR web.default.svc.cluster.local.',
    ])
    expect(ask('2.1.244.10.in-addr.arpa', 'PTR').answers).toEqual([
      '2.1.244.10.in-addr.arpa. 5 IN PTR db-1.db.default.svc.cluster.local.',
    ])
  })
})

describe('pods by address', () => {
  const insecure = zoneWith({ pods: 'insecure' })
  test.each([
    ['10-1-2-3.default.pod.cluster.local', 'A', '10-1-2-3.default.pod.cluster.local. 5 IN A 10.1.2.3'],
    ['fd00--1.default.pod.cluster.local', 'AAAA', 'fd00--1.default.pod.cluster.local. 5 IN AAAA fd00::1'],
  ] as const)('insecure: %s is any address at all', (name, type, expected) => {
    expect(ask(name, type, insecure).answers).toEqual([expected])
  })

  test.each([
    ['10-1-2-3.default.pod.cluster.local', 'AAAA', 'NODATA'],
    ['10-1-2-3.nowhere.pod.cluster.local', 'A', 'NXDOMAIN'],
    ['10-1-2-300.default.pod.cluster.local', 'A', 'NXDOMAIN'],
    ['web.default.pod.cluster.local', 'A', 'NXDOMAIN'],
    ['x.10-1-2-3.default.pod.cluster.local', 'A', 'NXDOMAIN'],
    ['default.pod.cluster.local', 'A', 'NODATA'],
  ] as const)('insecure: %s %s is %s', (name, type, expected) => {
    expect(verdict(name, type, insecure)).toBe(expected)
  })

  test('verified: only addresses of pods that there are', () => {
    const verified = zoneWith({ pods: 'verified' })
    const { objects } = readManifests(
      'apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}]}',
      { file: 'test.yaml' },
    )
    const pod = objects[0]?.object
    const ip = zone.find('db-0.db.default.svc.cluster.local')?.get('A')?.[0]
    if (pod?.kind !== 'Pod' || ip?.type !== 'A') throw new Error('no pod or address')
    const status = { phase: 'Running', podIPs: [{ ip: ip.address }], conditions: [] } as const
    verified.update({ type: 'put', object: { ...pod, status } })
    expect(verdict('10-244-1-1.default.pod.cluster.local', 'A', verified)).toBe('NOERROR')
    expect(verdict('10-244-1-9.default.pod.cluster.local', 'A', verified)).toBe('NXDOMAIN')
    verified.update({ type: 'delete', kind: 'Pod', namespace: 'default', name: 'p' })
    expect(verdict('10-244-1-1.default.pod.cluster.local', 'A', verified)).toBe('NXDOMAIN')
  })
})
