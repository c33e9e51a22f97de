import { type EndpointSlice, type KubeObject, readManifests, type Service } from '@podfabric/kube'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatRecord } from '../message/format.ts'
import { type ClusterZone, clusterZone, type ZoneChange, type ZoneObject } from './cluster-zone.ts'
import { serviceRecords, sliceRecords } from './kube-records.ts'

function objectsIn(text: string): ZoneObject[] {
  const { objects, errors } = readManifests(text, { file: 'test.yaml' })
  expect(errors.map(({ message }) => message)).toEqual([])
  return objects.map(({ object }) => object).filter(isZoneObject)
}

function isZoneObject(object: KubeObject): object is ZoneObject {
  return ['Namespace', 'Service', 'EndpointSlice', 'Pod'].includes(object.kind)
}

function zoneOf(text: string, options = {}): ClusterZone {
  const zone = clusterZone(options)
  for (const object of objectsIn(text)) zone.update({ type: 'put', object })
  return zone
}

const standing = formatted(clusterZone())

function formatted(zone: ClusterZone): string[] {
  return [...zone.records()].map(formatRecord).sort()
}

function recordsOf(text: string, options = {}): string[] {
  return formatted(zoneOf(text, options)).filter((line) => !standing.includes(line))
}

const service = (name: string, spec: string) =>
  `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: ${spec}\n`
const slice = (name: string, of: string, addressType: string, endpoints: string, ports = '[]') =>
  `---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${name}, ` +
  `labels: {kubernetes.io/service-name: ${of}}}\naddressType: ${addressType}\nendpoints: ${endpoints}\nports: ${ports}\n`

describe('records', () => {
  test('a zone begins with its version, its nameserver and the apexes', () => {
    expect(formatted(clusterZone({ nameservers: [...clusterIps] }))).toEqual([
      'cluster.local. 5 IN NS ns.dns.cluster.local.',
      'dns-version.cluster.local. 28800 IN TXT "1.1.0"',
      'in-addr.arpa. 5 IN NS ns.dns.cluster.local.',
      'ip6.arpa. 5 IN NS ns.dns.cluster.local.',
      'ns.dns.cluster.local. 5 IN A 10.96.0.10',
    ])
  })

  test('a service with addresses has them, its ports and the way back', () => {
    const spec =
      '{clusterIPs: [10.96.0.7, "fd00::7"], ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}'
    expect(recordsOf(service('web', spec))).toEqual(
      [
        'web.default.svc.cluster.local. 5 IN A 10.96.0.7',
        'web.default.svc.cluster.local. 5 IN AAAA fd00::7',
        'web.default.svc.cluster.local. 5 IN SRV 0 100 80 web.default.svc.cluster.local.',
        'web.default.svc.cluster.local. 5 IN SRV 0 100 53 web.default.svc.cluster.local.',
        '_http._tcp.web.default.svc.cluster.local. 5 IN SRV 0 100 80 web.default.svc.cluster.local.',
        '_dns._udp.web.default.svc.cluster.local. 5 IN SRV 0 100 53 web.default.svc.cluster.local.',
        '7.0.96.10.in-addr.arpa. 5 IN PTR web.default.svc.cluster.local.',
        '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. 5 IN PTR web.default.svc.cluster.local.',
      ].sort(),
    )
  })

  test('an unnamed port is found under the bare name only, as CoreDNS has it', () => {
    expect(
      recordsOf(service('web', '{clusterIP: 10.96.0.7, ports: [{port: 80}]}')).filter((line) =>
        line.includes('SRV'),
      ),
    ).toEqual(['web.default.svc.cluster.local. 5 IN SRV 0 100 80 web.default.svc.cluster.local.'])
  })

  test('a headless service has the ready endpoints, by hostname or by address', () => {
    const text =
      service('db', '{clusterIP: None, ports: [{name: sql, port: 5432}]}') +
      slice(
        'db-1',
        'db',
        'IPv4',
        '[{addresses: [10.244.1.2], hostname: db-0}, {addresses: [10.244.2.3]}, {addresses: [10.244.3.4], conditions: {ready: false}}]',
        '[{name: sql, port: 5432}]',
      )
    expect(recordsOf(text)).toEqual(
      [
        'db.default.svc.cluster.local. 5 IN A 10.244.1.2',
        'db.default.svc.cluster.local. 5 IN A 10.244.2.3',
        'db-0.db.default.svc.cluster.local. 5 IN A 10.244.1.2',
        '10-244-2-3.db.default.svc.cluster.local. 5 IN A 10.244.2.3',
        '_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 100 5432 db-0.db.default.svc.cluster.local.',
        '_sql._tcp.db.default.svc.cluster.local. 5 IN SRV 0 100 5432 10-244-2-3.db.default.svc.cluster.local.',
        'db.default.svc.cluster.local. 5 IN SRV 0 100 5432 db-0.db.default.svc.cluster.local.',
        'db.default.svc.cluster.local. 5 IN SRV 0 100 5432 10-244-2-3.db.default.svc.cluster.local.',
        '2.1.244.10.in-addr.arpa. 5 IN PTR db-0.db.default.svc.cluster.local.',
        '3.2.244.10.in-addr.arpa. 5 IN PTR 10-244-2-3.db.default.svc.cluster.local.',
      ].sort(),
    )
  })

  test('publishNotReadyAddresses brings the others in', () => {
    const text =
      service('db', '{clusterIP: None, publishNotReadyAddresses: true}') +
      slice('db-1', 'db', 'IPv6', '[{addresses: ["fd00::2"], conditions: {ready: false}}]')
    expect(recordsOf(text)).toContain('fd00--2.db.default.svc.cluster.local. 5 IN AAAA fd00::2')
  })

  test('an ExternalName is another name', () => {
    expect(recordsOf(service('ext', '{type: ExternalName, externalName: db.example.com}'))).toEqual([
      'ext.default.svc.cluster.local. 5 IN CNAME db.example.com.',
    ])
  })

  test('a service without an address yet has no records', () => {
    expect(recordsOf(service('web', '{ports: [{port: 80}]}'))).toEqual([])
  })

  test('endpoints of a service with an address have no names of their own', () => {
    const text =
      service('web', '{clusterIP: 10.96.0.7, ports: [{port: 80}]}') +
      slice('w', 'web', 'IPv4', '[{addresses: [10.244.1.2]}]')
    expect(recordsOf(text).join('\n')).not.toContain('10.244.1.2')
  })
})

describe('update', () => {
  test('says what it did, and nothing when it did nothing', () => {
    const zone = zoneOf(service('db', '{clusterIP: None}'))
    const [object] = objectsIn(slice('db-1', 'db', 'IPv4', '[{addresses: [10.244.1.2]}]'))
    if (!object) throw new Error('no object')
    const before = zone.serial
    const put = zone.update({ type: 'put', object })
    expect(put.added.map(formatRecord).sort()).toEqual([
      '10-244-1-2.db.default.svc.cluster.local. 5 IN A 10.244.1.2',
      '2.1.244.10.in-addr.arpa. 5 IN PTR 10-244-1-2.db.default.svc.cluster.local.',
      'db.default.svc.cluster.local. 5 IN A 10.244.1.2',
    ])
    expect([put.removed, put.serial]).toEqual([[], before + 1])
    expect(zone.update({ type: 'put', object })).toEqual({ serial: before + 1, added: [], removed: [] })
    const gone = zone.update({ type: 'delete', kind: 'EndpointSlice', namespace: 'default', name: 'db-1' })
    expect(new Set(gone.removed)).toEqual(new Set(put.added))
    const again = zone.update({ type: 'delete', kind: 'EndpointSlice', namespace: 'default', name: 'db-1' })
    expect(again).toEqual({ serial: before + 2, added: [], removed: [] })
  })

  test('an address that leaves one slice for another is never missing', () => {
    const zone = zoneOf(
      service('db', '{clusterIP: None}') + slice('a', 'db', 'IPv4', '[{addresses: [10.244.1.2]}]'),
    )
    const [b] = objectsIn(slice('b', 'db', 'IPv4', '[{addresses: [10.244.1.2]}]'))
    if (!b) throw new Error('no object')
    expect(zone.update({ type: 'put', object: b })).toMatchObject({ added: [], removed: [] })
    expect(
      zone.update({ type: 'delete', kind: 'EndpointSlice', namespace: 'default', name: 'a' }),
    ).toMatchObject({ added: [], removed: [] })
    expect(zone.find('db.default.svc.cluster.local')?.get('A')).toHaveLength(1)
  })

  test('a service that becomes headless takes up its slices, whichever came first', () => {
    const zone = zoneOf(
      slice('a', 'db', 'IPv4', '[{addresses: [10.244.1.2]}]') +
        service('db', '{clusterIP: 10.96.0.1, ports: [{port: 1}]}'),
    )
    const [headless] = objectsIn(service('db', '{clusterIP: None}'))
    if (!headless) throw new Error('no object')
    const delta = zone.update({ type: 'put', object: headless })
    expect(delta.added.map(formatRecord)).toContain('db.default.svc.cluster.local. 5 IN A 10.244.1.2')
    expect(delta.removed.map(formatRecord)).toContain('db.default.svc.cluster.local. 5 IN A 10.96.0.1')
  })

  test('whatever the order of changes, the zone holds what its objects give together', () => {
    const objects = objectsIn(
      [
        'apiVersion: v1\nkind: Namespace\nmetadata: {name: default}\n',
        service('a', '{clusterIP: None, publishNotReadyAddresses: true}'),
        service('a', '{clusterIP: None}'),
        service('a', '{clusterIP: 10.96.0.1, ports: [{name: http, port: 80}]}'),
        service('b', '{clusterIP: None, ports: [{name: http, port: 80}]}'),
        service('b', '{type: ExternalName, externalName: a.default.svc.cluster.local}'),
        slice(
          's',
          'a',
          'IPv4',
          '[{addresses: [10.0.0.1]}, {addresses: [10.0.0.2], conditions: {ready: false}}]',
        ),
        slice('s', 'b', 'IPv4', '[{addresses: [10.0.0.1], hostname: h}]', '[{name: http, port: 80}]'),
        slice('t', 'a', 'IPv4', '[{addresses: [10.0.0.1]}]'),
        slice('t', 'a', 'IPv6', '[{addresses: ["fd00::1"], hostname: h}]', '[{port: 1}]'),
        slice('u', 'b', 'IPv4', '[{addresses: [10.0.0.9]}]'),
      ].join('---\n'),
    )
    const change = fc.tuple(fc.constantFrom(...objects), fc.boolean()).map(([object, put]): ZoneChange => {
      if (put) return { type: 'put', object }
      const { kind, metadata } = object
      return 'namespace' in metadata
        ? { type: 'delete', kind, namespace: metadata.namespace, name: metadata.name }
        : { type: 'delete', kind, name: metadata.name }
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const zone = clusterZone()
        const left = new Map<string, ZoneObject>()
        const believed = new Set(formatted(zone))
        for (const next of changes) {
          const delta = zone.update(next)
          for (const record of delta.removed) expect(believed.delete(formatRecord(record))).toBe(true)
          for (const record of delta.added) believed.add(formatRecord(record))
          const { kind, name } =
            next.type === 'put' ? { kind: next.object.kind, name: next.object.metadata.name } : next
          if (next.type === 'put') left.set(`${kind}/${name}`, next.object)
          else left.delete(`${kind}/${name}`)
        }
        const settings = { zone: 'cluster.local', ttl: 5 }
        const services = [...left.values()].filter((object): object is Service => object.kind === 'Service')
        const slices = [...left.values()].filter(
          (object): object is EndpointSlice => object.kind === 'EndpointSlice',
        )
        const whole = new Set([
          ...standing,
          ...services.flatMap((object) => serviceRecords(object, settings)).map(formatRecord),
          ...slices
            .flatMap((object) => {
              const of = object.metadata.labels['kubernetes.io/service-name']
              return sliceRecords(
                object,
                services.find(({ metadata }) => metadata.name === of),
                settings,
              )
            })
            .map(formatRecord),
        ])
        expect(formatted(zone)).toEqual([...whole].sort())
        expect([...believed].sort()).toEqual([...whole].sort())
        expect(zone.find('default.svc.cluster.local') !== undefined).toBe(left.size > 0)
      }),
      { numRuns: 300 },
    )
  })

  test('a lifetime outside 0 to 3600 seconds is refused', () => {
    expect(() => clusterZone({ ttl: 3601 })).toThrow(RangeError)
  })
})

const clusterIps = objectsIn(service('dns', '{clusterIP: 10.96.0.10, ports: [{port: 53}]}')).flatMap(
  (object) => (object.kind === 'Service' ? object.spec.clusterIPs : []),
)
