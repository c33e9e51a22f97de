import assert from 'node:assert/strict'
import { ip, prefix } from '@podfabric/netaddr'
import type { Namespace } from '../namespace.ts'
import type { Route } from '../route.ts'
import { type CaseBody, dress, must, refuses } from './bed.ts'
import { joined } from './topology.ts'

/** What the two families are asked alike. */
const families = [
  {
    name: 'IPv4',
    far: prefix('10.9.0.0/16'),
    to: ip('10.9.1.1'),
    via: ip('10.1.0.2'),
    other: ip('10.1.0.3'),
    nowhere: ip('172.16.0.1'),
    own: ip('10.1.0.1'),
    peer: ip('10.1.0.2'),
    all: prefix('0.0.0.0/0'),
  },
  {
    name: 'IPv6',
    far: prefix('fd09::/32'),
    to: ip('fd09::1'),
    via: ip('fd01::2'),
    other: ip('fd01::3'),
    nowhere: ip('fd99::1'),
    own: ip('fd01::1'),
    peer: ip('fd01::2'),
    all: prefix('::/0'),
  },
] as const

const routesTo = async (at: Namespace, destination: string): Promise<readonly Route[]> =>
  (await at.routes.list()).filter((row) => row.destination === destination)

export const routeCases: readonly CaseBody[] = [
  ...families.flatMap((family): CaseBody[] => [
    {
      name: `an ${family.name} route is added once, replaced in place, and deleted once`,
      async run(bed) {
        const { a } = await joined(bed)
        const { routes } = a.at
        const row = { destination: family.far, gateway: family.via, link: 'eth0' }
        await routes.add(row)
        await refuses('EEXIST', routes.add(row))
        await routes.replace({ ...row, gateway: family.other })
        assert.deepEqual(
          (await routesTo(a.at, family.far)).map((one) => one.gateway),
          [family.other],
        )
        await routes.delete({ destination: family.far })
        await refuses('ESRCH', routes.delete({ destination: family.far }))
        await routes.replace(row)
        assert.equal((await routesTo(a.at, family.far)).length, 1)
      },
    },
    {
      name: `an ${family.name} route is listed with all that it was given`,
      async run(bed) {
        const { a } = await joined(bed)
        await a.at.routes.add({
          destination: family.far,
          gateway: family.via,
          link: 'eth0',
          source: family.own,
          metric: 7,
          protocol: 80,
          table: 254,
          mtu: 1400,
          advmss: 1300,
        })
        const [row] = await routesTo(a.at, family.far)
        assert(row !== undefined)
        const { type, gateway, link, source, metric, protocol, table, mtu, advmss } = row
        assert.deepEqual(
          [type ?? 'unicast', gateway, link, source, metric, protocol, table, mtu, advmss],
          ['unicast', family.via, 'eth0', family.own, 7, 80, 254, 1400, 1300],
        )
      },
    },
    {
      name: `an ${family.name} gateway that is not on a link of ours is refused, unless onlink is said`,
      async run(bed) {
        const { a } = await joined(bed)
        const row = { destination: family.far, gateway: family.nowhere, link: 'eth0' }
        await refuses(family.name === 'IPv4' ? 'ENETUNREACH' : 'EHOSTUNREACH', a.at.routes.add(row))
        await a.at.routes.add({ ...row, onlink: true })
        const [listed] = await routesTo(a.at, family.far)
        assert.equal(listed?.onlink, true)
        assert.equal((await a.at.routes.lookup({ destination: family.to })).gateway, family.nowhere)
      },
    },
    {
      name: `an ${family.name} route on a link that is not there is ENODEV, on one that is down ENETDOWN`,
      async run(bed) {
        const { a } = await joined(bed)
        await refuses('ENODEV', a.at.routes.add({ destination: family.far, link: 'ghost' }))
        await a.at.links.set('eth0', { up: false })
        await refuses('ENETDOWN', a.at.routes.add({ destination: family.far, link: 'eth0' }))
      },
    },
    {
      name: `of two ${family.name} routes to the same destination the lower metric wins`,
      async run(bed) {
        const { a } = await joined(bed)
        await a.at.routes.add({ destination: family.far, gateway: family.via, metric: 20 })
        await a.at.routes.add({ destination: family.far, gateway: family.other, metric: 10 })
        assert.equal((await a.at.routes.lookup({ destination: family.to })).gateway, family.other)
        await a.at.routes.delete({ destination: family.far, metric: 10 })
        assert.equal((await a.at.routes.lookup({ destination: family.to })).gateway, family.via)
      },
    },
    {
      name: `an ${family.name} route is deleted by the fields that were given`,
      async run(bed) {
        const { a } = await joined(bed)
        await a.at.routes.add({ destination: family.far, gateway: family.via, metric: 20 })
        await a.at.routes.add({ destination: family.far, gateway: family.other, metric: 30 })
        await refuses('ESRCH', a.at.routes.delete({ destination: family.far, metric: 40 }))
        await refuses('ESRCH', a.at.routes.delete({ destination: family.far, table: 100 }))
        await a.at.routes.delete({ destination: family.far, gateway: family.other })
        assert.deepEqual(
          (await routesTo(a.at, family.far)).map((row) => row.metric),
          [20],
        )
      },
    },
    {
      name: `an ${family.name} lookup takes the longest prefix`,
      async run(bed) {
        const { a } = await joined(bed)
        await a.at.routes.add({ destination: family.all, gateway: family.via })
        await a.at.routes.add({ destination: family.far, gateway: family.other })
        assert.equal((await a.at.routes.lookup({ destination: family.to })).gateway, family.other)
        assert.equal((await a.at.routes.lookup({ destination: family.nowhere })).gateway, family.via)
      },
    },
    {
      name: `an ${family.name} lookup tells link, source, table and MTU`,
      async run(bed) {
        const { a } = await joined(bed)
        await a.at.routes.add({ destination: family.far, gateway: family.via, mtu: 1400 })
        assert.deepEqual(await a.at.routes.lookup({ destination: family.to }), {
          type: 'unicast',
          link: 'eth0',
          gateway: family.via,
          source: family.own,
          table: 254,
          mtu: 1400,
        })
        assert.deepEqual(await a.at.routes.lookup({ destination: family.peer }), {
          type: 'unicast',
          link: 'eth0',
          source: family.own,
          table: 254,
          mtu: 1500,
        })
      },
    },
    {
      name: `an own ${family.name} address is local`,
      async run(bed) {
        const { a } = await joined(bed)
        const answer = await a.at.routes.lookup({ destination: family.own })
        assert.deepEqual([answer.type, answer.table, answer.source], ['local', 255, family.own])
      },
    },
    {
      name: `an ${family.name} lookup without a route is ENETUNREACH, and each type that drops has its errno`,
      async run(bed) {
        const { a } = await joined(bed)
        const lookup = () => a.at.routes.lookup({ destination: family.to })
        await refuses('ENETUNREACH', lookup())
        for (const [type, code] of [
          ['unreachable', 'EHOSTUNREACH'],
          ['prohibit', 'EACCES'],
          ['blackhole', 'EINVAL'],
        ] as const) {
          await a.at.routes.add({ destination: family.far, type })
          assert.equal((await routesTo(a.at, family.far))[0]?.type, type)
          await refuses(code, lookup())
          await a.at.routes.delete({ destination: family.far, type })
        }
      },
    },
    {
      name: `an ${family.name} route in a table of its own is listed with it, and asked only by rules`,
      async run(bed) {
        const { a } = await joined(bed)
        await a.at.routes.add({ destination: family.far, gateway: family.via, table: 100 })
        assert.equal((await routesTo(a.at, family.far))[0]?.table, 100)
        await refuses('ENETUNREACH', a.at.routes.lookup({ destination: family.to }))
        const priority = 1000
        await a.at.rules.add({ family: family.name === 'IPv4' ? 4 : 6, priority, action: { lookup: 100 } })
        assert.equal((await a.at.routes.lookup({ destination: family.to })).table, 100)
      },
    },
    {
      name: `${family.name} routes go with their link`,
      async run(bed) {
        const { a } = await joined(bed)
        await a.at.routes.add({ destination: family.far, gateway: family.via })
        await a.at.links.delete('eth0')
        assert.deepEqual(await routesTo(a.at, family.far), [])
        await refuses('ENETUNREACH', a.at.routes.lookup({ destination: family.peer }))
      },
    },
  ]),
  {
    name: 'an IPv4 route without a metric has 0, an IPv6 route 1024; both are of protocol boot',
    async run(bed) {
      const { a } = await joined(bed)
      for (const { far, via } of families) {
        await must(a.at, { op: 'route.add', route: { destination: far, gateway: via } })
      }
      const four = (await routesTo(a.at, '10.9.0.0/16'))[0]
      const six = (await routesTo(a.at, 'fd09::/32'))[0]
      assert.deepEqual([four?.metric ?? 0, six?.metric], [0, 1024])
      assert.deepEqual([four?.protocol, six?.protocol], [3, 3])
    },
  },
  {
    name: 'a route through a link has scope link, one through a gateway global',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await must(
        at,
        { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
        ...dress('br0', '10.0.0.1/24'),
        { op: 'route.add', route: { destination: prefix('10.8.0.0/16'), link: 'br0' } },
        { op: 'route.add', route: { destination: prefix('10.9.0.0/16'), gateway: ip('10.0.0.2') } },
      )
      assert.equal((await routesTo(at, '10.8.0.0/16'))[0]?.scope, 'link')
      assert.equal((await routesTo(at, '10.9.0.0/16'))[0]?.scope, 'global')
    },
  },
]
