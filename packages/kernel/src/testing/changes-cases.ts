import assert from 'node:assert/strict'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import type { Change } from '../changes.ts'
import type { Operation } from '../operation.ts'
import { type Bed, type CaseBody, must, type Place, ping } from './bed.ts'
import { bridged, joined, nth } from './topology.ts'

/** Reads changes while `act` happens, until one satisfies `until`. */
async function changesUntil(
  bed: Bed,
  place: Place,
  what: string,
  act: () => Promise<unknown>,
  until: (change: Change) => boolean,
): Promise<readonly Change[]> {
  return bed.within(what, async (signal) => {
    const stop = new AbortController()
    const seen: Change[] = []
    const changes = place.at.changes({ signal: AbortSignal.any([signal, stop.signal]) })
    await act()
    for await (const change of changes) {
      seen.push(change)
      if (until(change)) {
        stop.abort()
        return seen
      }
    }
    throw signal.reason
  })
}

const is =
  (table: Change['table'], type: 'new' | 'gone', test: (row: never) => boolean) => (change: Change) =>
    change.table === table && change.table !== 'overrun' && change.type === type && test(change.row as never)

export const changesCases: readonly CaseBody[] = [
  {
    name: 'a link that comes and one that goes are told, with the whole row',
    async run(bed) {
      const place = await bed.namespace(await bed.node(), 'pod')
      const named = (row: { readonly name: string }) => row.name === 'br0'
      const came = await changesUntil(
        bed,
        place,
        'the new link',
        () => place.at.links.add({ kind: 'bridge', name: 'br0', mac: mac('02:00:00:00:00:01') }),
        is('links', 'new', named),
      )
      const row = came.at(-1)
      assert(row?.table === 'links' && row.row.kind === 'bridge')
      assert.equal(row.row.mac, '02:00:00:00:00:01')
      await changesUntil(
        bed,
        place,
        'the link to go',
        () => place.at.links.delete('br0'),
        is('links', 'gone', named),
      )
    },
  },
  {
    name: 'addresses, routes, rules and neighbors that come and go are told',
    async run(bed) {
      const { a } = await joined(bed)
      const address = { link: 'eth0', address: ifAddress('10.3.0.1/24') }
      const routeRow = { destination: prefix('10.9.0.0/16'), gateway: ip('10.1.0.2'), protocol: 80 }
      const rule = { family: 4, priority: 77, action: { lookup: 100 } } as const
      const neighbor = { link: 'eth0', address: ip('10.1.0.77'), mac: mac('02:00:00:00:00:01') }
      const steps: readonly (readonly [() => Promise<void>, (change: Change) => boolean])[] = [
        [
          () => a.at.addresses.add(address),
          is(
            'addresses',
            'new',
            (row: typeof address) => row.address === address.address && row.link === 'eth0',
          ),
        ],
        [
          () => a.at.addresses.delete(address),
          is('addresses', 'gone', (row: typeof address) => row.address === address.address),
        ],
        [
          () => a.at.routes.add(routeRow),
          is(
            'routes',
            'new',
            (row: typeof routeRow) => row.destination === '10.9.0.0/16' && row.protocol === 80,
          ),
        ],
        [
          () => a.at.routes.delete(routeRow),
          is('routes', 'gone', (row: typeof routeRow) => row.destination === '10.9.0.0/16'),
        ],
        [() => a.at.rules.add(rule), is('rules', 'new', (row: typeof rule) => row.priority === 77)],
        [() => a.at.rules.delete(rule), is('rules', 'gone', (row: typeof rule) => row.priority === 77)],
        [
          () => a.at.neighbors.add(neighbor),
          is(
            'neighbors',
            'new',
            (row: typeof neighbor) => row.address === '10.1.0.77' && row.mac === neighbor.mac,
          ),
        ],
        [
          () => a.at.neighbors.delete(neighbor),
          is('neighbors', 'gone', (row: typeof neighbor) => row.address === '10.1.0.77'),
        ],
      ]
      for (const [act, until] of steps) await changesUntil(bed, a, 'the change', act, until)
    },
  },
  {
    name: 'an IPv6 address and an IPv6 route are told too',
    async run(bed) {
      const { a } = await joined(bed)
      await changesUntil(
        bed,
        a,
        'the IPv6 route',
        () =>
          must(
            a.at,
            { op: 'address.add', address: { link: 'eth0', address: ifAddress('fd03::1/64'), noDad: true } },
            { op: 'route.add', route: { destination: prefix('fd09::/32'), gateway: ip('fd01::2') } },
          ),
        is('routes', 'new', (row: { readonly destination: string }) => row.destination === 'fd09::/32'),
      )
    },
  },
  {
    name: 'what a bridge learns is told',
    async run(bed) {
      const { node, pods } = await bridged(bed, 2)
      const address = mac('02:00:00:00:00:42')
      await nth(pods, 0).at.links.set('eth0', { mac: address })
      await changesUntil(
        bed,
        node,
        'the learned entry',
        () => ping(nth(pods, 0), '10.1.0.2'),
        is('fdb', 'new', (row: { readonly mac: string; readonly link: string }) => {
          return row.mac === address && row.link === 'port1'
        }),
      )
    },
  },
  {
    name: 'only what came after the call is told, and an aborted stream ends',
    async run(bed) {
      const place = await bed.namespace(await bed.node(), 'pod')
      await place.at.links.add({ kind: 'bridge', name: 'before' })
      const seen = await changesUntil(
        bed,
        place,
        'the link after',
        () => place.at.links.add({ kind: 'bridge', name: 'after' }),
        is('links', 'new', (row: { readonly name: string }) => row.name === 'after'),
      )
      const names = seen.map((change) => (change.table === 'links' ? change.row.name : ''))
      assert(!names.includes('before'))
      const stop = new AbortController()
      const changes = place.at.changes({ signal: stop.signal })[Symbol.asyncIterator]()
      const next = changes.next()
      stop.abort()
      assert.equal((await next).done, true)
    },
  },
  {
    name: 'a reader that is too slow is told once that it missed something, and goes on',
    async run(bed) {
      const place = await bed.namespace(await bed.node(), 'pod')
      await place.at.links.add({ kind: 'bridge', name: 'br0' })
      const address = { link: 'br0', address: ifAddress('10.3.0.1/24') }
      const flood = Array.from({ length: 20_000 }, (_, i): Operation => {
        return i % 2 === 0 ? { op: 'address.add', address } : { op: 'address.delete', address }
      })
      await bed.within(
        'the overrun',
        async (signal) => {
          const changes = place.at.changes({ signal })
          await must(place.at, ...flood)
          let overruns = 0
          for await (const change of changes) {
            if (change.table === 'overrun') {
              overruns += 1
              await place.at.links.add({ kind: 'bridge', name: 'after' })
            } else if (change.table === 'links' && change.row.name === 'after') {
              assert.equal(overruns, 1)
              return
            }
          }
          throw signal.reason
        },
        20_000,
      )
    },
  },
]
