import {
  type FdbEntry,
  type Kernel,
  type Namespace,
  type Neighbor,
  type Operation,
  ownership,
  type Route,
  withMiddleware,
} from '@podfabric/kernel'
import { ip, mac, prefix } from '@podfabric/netaddr'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { kernels, must, type TestLab } from './network.fixture.ts'
import { type OwnedRows, type PeerTables, reconcile } from './tables.ts'

const link = 'flannel.1'
const network = prefix('10.244.0.0/16')
const owned: OwnedRows = { network, tunnel: link }
const protocol = ownership.routeProtocol

const subnet = (n: number) => prefix(`10.244.${n}.0/24`)
const base = (n: number) => ip(`10.244.${n}.0`)
const vtep = (n: number) => mac(`02:00:00:00:00:0${n}`)
const publicIp = (n: number) => ip(`192.168.50.1${n}`)

interface PeerWish {
  readonly n: number
  readonly vtep: number
  readonly publicIp: number
  readonly direct: boolean
}

function tablesFor(peers: readonly PeerWish[]): PeerTables {
  const tunnelled = peers.filter(({ direct }) => !direct)
  return {
    routes: peers.map((peer) =>
      peer.direct
        ? { destination: subnet(peer.n), gateway: publicIp(peer.publicIp), link: 'eth0', protocol }
        : { destination: subnet(peer.n), gateway: base(peer.n), link, onlink: true, protocol },
    ),
    neighbors: tunnelled.map(
      (peer): Neighbor => ({
        link,
        address: base(peer.n),
        mac: vtep(peer.vtep),
        state: 'permanent',
        protocol,
      }),
    ),
    fdb: tunnelled.map(
      (peer): FdbEntry => ({
        link,
        mac: vtep(peer.vtep),
        destination: publicIp(peer.publicIp),
        state: 'permanent',
      }),
    ),
  }
}

const numbers = (least: number, most: number) => fc.integer({ min: least, max: most })

/** Peers with tunnel MAC addresses of their own. */
const wishes: fc.Arbitrary<readonly PeerWish[]> = fc
  .uniqueArray(
    fc.record({ n: numbers(1, 5), vtep: numbers(1, 5), publicIp: numbers(1, 5), direct: fc.boolean() }),
    { selector: ({ n }) => n, maxLength: 5 },
  )
  .map((peers) => peers.filter((peer, at) => peers.findIndex((other) => other.vtep === peer.vtep) === at))

/** What may be there, made by an earlier run, by somebody who meddled, and by others. */
const meddling: fc.Arbitrary<readonly Operation[]> = fc.array(
  fc.oneof(
    fc.record({ n: numbers(1, 5), metric: fc.constantFrom(0, 7) }).map(({ n, metric }): Operation => {
      const route: Route = { destination: subnet(n), gateway: base(n + 1), link, onlink: true, protocol }
      return { op: 'route.add', route: { ...route, metric } }
    }),
    numbers(1, 5).map((n): Operation => {
      const row: Neighbor = { link, address: base(n), mac: vtep(n), state: 'stale' }
      return { op: 'neighbor.add', neighbor: row }
    }),
    fc.record({ n: numbers(1, 6), m: numbers(1, 6) }).map(({ n, m }): Operation => {
      return { op: 'neighbor.replace', neighbor: { link, address: base(n), mac: vtep(m) } }
    }),
    fc
      .record({ n: numbers(1, 6), m: numbers(1, 6), state: fc.constantFrom('permanent', 'dynamic') })
      .map(({ n, m, state }): Operation => {
        return { op: 'fdb.append', entry: { link, mac: vtep(n), destination: publicIp(m), state } }
      }),
  ),
  { maxLength: 8 },
)

const foreign: readonly Operation[] = [
  // Nothing of these is ours: another protocol, another network, another table, another link.
  {
    op: 'route.add',
    route: { destination: subnet(200), gateway: ip('192.168.50.9'), link: 'eth0', protocol: 4 },
  },
  {
    op: 'route.add',
    route: { destination: prefix('10.9.0.0/24'), gateway: ip('192.168.50.9'), link: 'eth0', protocol },
  },
  { op: 'route.add', route: { destination: subnet(201), gateway: ip('192.168.50.9'), table: 100, protocol } },
  { op: 'neighbor.add', neighbor: { link: 'eth0', address: ip('192.168.50.77'), mac: vtep(7) } },
]

describe.each(kernels)('the tables of a node on $name', ({ name, skip, make }) => {
  let lab: TestLab
  let kernel: Kernel
  let host: Namespace

  beforeAll(async () => {
    if (skip) return
    lab = await make()
    const [first] = await lab.nodes(1)
    if (first === undefined) throw new Error('the lab gave no node')
    kernel = first
    host = kernel.in(kernel.netns.host)
    await must(host, foreign)
  })
  afterAll(async () => {
    if (skip) return
    await host[Symbol.asyncDispose]()
    await lab.close()
  })

  // Linux takes some milliseconds for each.
  const numRuns = name === 'Linux' ? 30 : 200

  async function fresh(): Promise<void> {
    const links = await host.links.list()
    if (links.some(({ name }) => name === link)) await host.links.delete(link)
    for (const row of await host.routes.list()) {
      if (
        row.link === 'eth0' &&
        row.destination.startsWith('10.244.') &&
        row.protocol === protocol &&
        row.table !== 100
      )
        await host.routes.delete(row)
    }
    const local = ip('192.168.50.1')
    await host.links.add({ kind: 'vxlan', name: link, vni: 1, local, learning: false, up: true })
  }

  /** Everything but the rows of the tunnel and our routes to the peers. */
  async function others(): Promise<readonly string[]> {
    const [routes, neighbors] = await Promise.all([host.routes.list(), host.neighbors.list()])
    return [
      // eth0's own link-local address becomes usable at some time.
      ...routes.filter((row) => row.link !== link && !isOurs(row) && !row.destination.startsWith('fe80')),
      ...neighbors.filter((row) => row.link !== link && row.state === 'permanent'),
    ].map((row) => JSON.stringify(row))
  }
  const isOurs = (row: Route) =>
    row.protocol === protocol &&
    row.destination.startsWith('10.244.') &&
    row.link !== undefined &&
    (row.table ?? 254) === 254

  async function rows(): Promise<PeerTables> {
    const [routes, neighbors, fdb] = await Promise.all([
      host.routes.list(),
      host.neighbors.list(),
      host.fdb.list(),
    ])
    const onTunnel = (row: { link: string }) => row.link === link
    return {
      routes: routes.filter(isOurs),
      neighbors: neighbors.filter((row) => onTunnel(row) && row.state === 'permanent'),
      fdb: fdb.filter((row) => onTunnel(row) && row.destination !== undefined),
    }
  }

  /** As sorted text of what the wishes name. */
  const textOf = ({ routes, neighbors, fdb }: PeerTables) =>
    [
      ...routes.map(
        (row) => `${row.destination} ${row.gateway} ${row.link} ${row.onlink ?? false} ${row.metric ?? 0}`,
      ),
      ...neighbors.map((row) => `${row.address} ${row.mac}`),
      ...fdb.map((row) => `${row.mac} ${row.destination} ${row.state}`),
    ].toSorted()

  it.skipIf(skip)(
    'become what they should be, from whatever they are, and what is right is not touched',
    async () => {
      await fc.assert(
        fc.asyncProperty(wishes, wishes, meddling, async (before, after, meddled) => {
          await fresh()
          await reconcile(host, owned, tablesFor(before))
          await host.apply(meddled)
          const untouched = await others()
          const there = await rows()
          const wanted = tablesFor(after)
          const touched: Operation[] = []
          const recording = withMiddleware(kernel, async (operation, next) => {
            touched.push(operation)
            const now = await rows()
            if ('route' in operation && operation.op !== 'route.delete' && operation.route.link === link) {
              const via = now.neighbors.find(({ address }) => address === operation.route.gateway)
              expect(
                now.fdb.some((row) => row.mac === via?.mac),
                'a route comes after its fdb entry',
              ).toBe(true)
            }
            const outcome = await next()
            expect(outcome.ok ? 'ok' : outcome.error.message).toBe('ok')
            return outcome
          })
          const at = recording.in(recording.netns.host)

          expect(await reconcile(at, owned, wanted)).toEqual([])
          expect(textOf(await rows())).toEqual(textOf(wanted))
          expect(await others()).toEqual(untouched)

          const already = new Set(textOf(there))
          const missing = textOf(wanted).filter((text) => !already.has(text)).length
          const needed = new Set(textOf(wanted))
          const extra = textOf(there).filter((text) => !needed.has(text)).length
          expect(touched.length).toBeLessThanOrEqual(missing + extra)
          expect(touched.length).toBeGreaterThanOrEqual(missing)

          touched.length = 0
          expect(await reconcile(at, owned, wanted)).toEqual([])
          expect(touched).toEqual([])
          await at[Symbol.asyncDispose]()
        }),
        { numRuns },
      )
    },
  )

  it.skipIf(skip)('never take a route that somebody else has in their place, and say so', async () => {
    await fresh()
    const theirs: Route = { destination: subnet(3), gateway: ip('192.168.50.9'), link: 'eth0', protocol: 4 }
    await host.routes.add(theirs)
    const before = await others()
    const wanted = tablesFor([{ n: 3, vtep: 3, publicIp: 3, direct: false }])
    const errors = await reconcile(host, owned, wanted)
    expect(errors.map(({ code, operation }) => [code, operation])).toEqual([
      ['EEXIST', expect.stringContaining('ip route add 10.244.3.0/24')],
    ])
    expect(await others()).toEqual(before)
    expect((await rows()).routes).toEqual([])
    await host.routes.delete(theirs)
    expect(await reconcile(host, owned, wanted)).toEqual([])
    expect(textOf(await rows())).toEqual(textOf(wanted))
  })

  it.skipIf(skip)('leave what there was before the network is empty again', async () => {
    await fresh()
    const before = await others()
    await reconcile(
      host,
      owned,
      tablesFor([1, 2, 3].map((n) => ({ n, vtep: n, publicIp: n, direct: n === 2 }))),
    )
    expect(await reconcile(host, owned, tablesFor([]))).toEqual([])
    expect(textOf(await rows())).toEqual([])
    expect(await others()).toEqual(before)
  })
})
