import assert from 'node:assert/strict'
import { ifAddress } from '@podfabric/netaddr'
import type { Namespace } from '../namespace.ts'
import { type CaseBody, dress, must, refuses } from './bed.ts'
import { joined } from './topology.ts'

const addressesOf = async (at: Namespace, link: string) =>
  (await at.addresses.list()).filter((row) => row.link === link).map((row) => row.address)

export const addressCases: readonly CaseBody[] = [
  ...(['10.0.0.1/24', 'fd00::1/64'] as const).map(
    (text): CaseBody => ({
      name: `the address ${text} is added once, replaced, and deleted once`,
      async run(bed) {
        const { at } = await bed.namespace(await bed.node(), 'pod')
        await at.links.add({ kind: 'bridge', name: 'br0' })
        const row = { link: 'br0', address: ifAddress(text) }
        await at.addresses.add(row)
        await refuses('EEXIST', at.addresses.add(row))
        await at.addresses.replace(row)
        assert.deepEqual(await addressesOf(at, 'br0'), [text])
        await at.addresses.delete(row)
        await refuses('EADDRNOTAVAIL', at.addresses.delete(row))
        await at.addresses.replace(row)
        assert.deepEqual(await addressesOf(at, 'br0'), [text])
        await refuses('ENODEV', at.addresses.add({ ...row, link: 'ghost' }))
        await refuses('ENODEV', at.addresses.delete({ ...row, link: 'ghost' }))
      },
    }),
  ),
  {
    name: 'an address is deleted only with the prefix length it has',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'br0' })
      await at.addresses.add({ link: 'br0', address: ifAddress('10.0.0.1/24') })
      await refuses('EADDRNOTAVAIL', at.addresses.delete({ link: 'br0', address: ifAddress('10.0.0.1/25') }))
    },
  },
  {
    name: 'an address has global scope unless told otherwise',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.add({ kind: 'bridge', name: 'br0' })
      await at.addresses.add({ link: 'br0', address: ifAddress('10.0.0.1/24') })
      await at.addresses.add({ link: 'br0', address: ifAddress('10.0.1.1/24'), scope: 'link' })
      assert.deepEqual((await at.addresses.list()).map((row) => [row.address, row.scope]).toSorted(), [
        ['10.0.0.1/24', 'global'],
        ['10.0.1.1/24', 'link'],
      ])
    },
  },
  {
    name: 'the loopback link has its addresses from when it is up',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await at.links.set('lo', { up: true })
      const rows = await at.addresses.list()
      assert.deepEqual(
        rows.map((row) => [row.address, row.scope]),
        [
          ['127.0.0.1/8', 'host'],
          ['::1/128', 'host'],
        ],
      )
    },
  },
  {
    name: 'an IPv4 address on a link that is up brings its local, broadcast and prefix routes',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await must(
        at,
        { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
        ...dress('br0', '10.0.0.1/24'),
      )
      const rows = (await at.routes.list()).filter((row) => !row.destination.includes(':'))
      const seen = rows.map((row) => [
        row.table,
        row.type,
        row.destination,
        row.scope,
        row.source,
        row.protocol,
      ])
      assert.deepEqual(seen.toSorted(), [
        [254, 'unicast', '10.0.0.0/24', 'link', '10.0.0.1', 2],
        [255, 'broadcast', '10.0.0.255/32', 'link', '10.0.0.1', 2],
        [255, 'local', '10.0.0.1/32', 'host', '10.0.0.1', 2],
      ])
      assert.deepEqual(new Set(rows.map((row) => row.link)), new Set(['br0']))
    },
  },
  {
    name: 'an IPv6 address on a link that runs brings its local and prefix routes, with metric 256',
    async run(bed) {
      const { a } = await joined(bed)
      const rows = (await a.at.routes.list()).filter((row) => row.destination.startsWith('fd01:'))
      assert.deepEqual(
        rows.map((row) => [row.table, row.type, row.destination, row.metric]).toSorted(),
        [
          [254, 'unicast', 'fd01::/64', 256],
          [255, 'anycast', 'fd01::/128', 0],
          [255, 'local', 'fd01::1/128', 0],
        ].filter(([, type]) => type !== 'anycast'),
      )
    },
  },
  {
    name: 'an address without a prefix route brings none',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      await must(at, { op: 'link.add', link: { kind: 'bridge', name: 'br0' } }, ...dress('br0'))
      await at.addresses.add({ link: 'br0', address: ifAddress('10.0.0.1/24'), noPrefixRoute: true })
      await at.addresses.add({
        link: 'br0',
        address: ifAddress('fd00::1/64'),
        noPrefixRoute: true,
        noDad: true,
      })
      const rows = await at.routes.list()
      const destinations = rows.filter((row) => row.table === 254).map((row) => String(row.destination))
      assert(!destinations.includes('10.0.0.0/24'))
      assert(!destinations.includes('fd00::/64'))
      const listed = (await at.addresses.list()).filter((row) => row.scope === 'global')
      assert.deepEqual(
        listed.map((row) => row.noPrefixRoute),
        [true, true],
      )
    },
  },
  {
    name: 'a link that goes down keeps its IPv4 addresses, and loses its IPv6 addresses and its routes',
    async run(bed) {
      const { a } = await joined(bed)
      await a.at.links.set('eth0', { up: false })
      assert.deepEqual(await addressesOf(a.at, 'eth0'), ['10.1.0.1/24'])
      const main = (await a.at.routes.list()).filter((row) => row.table === 254 && row.link === 'eth0')
      assert.deepEqual(main, [])
    },
  },
  {
    name: 'a link that runs gets a link-local IPv6 address of its own',
    async run(bed) {
      const { a } = await joined(bed)
      const rows = (await a.at.addresses.list()).filter((row) => row.address.startsWith('fe80:'))
      assert.deepEqual(
        rows.map((row) => [row.link, row.scope, row.address.endsWith('/64')]),
        [['eth0', 'link', true]],
      )
    },
  },
  {
    name: 'an IPv6 address is tentative until nobody else claimed it',
    async run(bed) {
      const { a } = await joined(bed)
      const address = ifAddress('fd01::99/64')
      await bed.within('the address to be usable', async (signal) => {
        const changes = a.at.changes({ signal })
        await a.at.addresses.add({ link: 'eth0', address })
        const row = (await a.at.addresses.list()).find((one) => one.address === address)
        assert.equal(row?.tentative, true)
        for await (const change of changes) {
          if (change.table !== 'addresses' || change.row.address !== address) continue
          if (change.type === 'new' && change.row.tentative !== true) return
        }
        throw signal.reason
      })
      const row = (await a.at.addresses.list()).find((one) => one.address === address)
      assert.equal(row?.tentative ?? false, false)
    },
  },
  {
    name: 'an IPv6 address without duplicate detection is usable at once',
    async run(bed) {
      const { a } = await joined(bed)
      const row = (await a.at.addresses.list()).find((one) => one.address === 'fd01::1/64')
      assert.equal(row?.tentative ?? false, false)
    },
  },
]
