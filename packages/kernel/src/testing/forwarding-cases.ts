import assert from 'node:assert/strict'
import { ip, prefix } from '@podfabric/netaddr'
import { bytes, type CaseBody, dress, must, ping, refuses, textOf } from './bed.ts'
import { routed } from './topology.ts'

const families = [
  {
    name: 'IPv4',
    a: ip('10.1.0.1'),
    b: ip('10.2.0.1'),
    router: ip('10.1.0.254'),
    lost: ip('10.99.0.1'),
    lostPrefix: prefix('10.99.0.0/16'),
    overhead: 28,
    codes: { noRoute: 0, unreachable: 1, prohibit: 13 },
  },
  {
    name: 'IPv6',
    a: ip('fd01::1'),
    b: ip('fd02::1'),
    router: ip('fd01::fe'),
    lost: ip('fd99::1'),
    lostPrefix: prefix('fd99::/16'),
    overhead: 48,
    codes: { noRoute: 0, unreachable: 0, prohibit: 1 },
  },
] as const

const ofBothFamilies: readonly CaseBody[] = families.flatMap((family): CaseBody[] => [
  {
    name: `a router that forwards ${family.name} takes one from the TTL`,
    async run(bed) {
      const { a } = await routed(bed)
      const outcome = await ping(a, family.b)
      assert(outcome.kind === 'reply', outcome.kind)
      assert.deepEqual([outcome.from, outcome.ttl], [family.b, 63])
    },
  },
  {
    name: `a router that does not forward ${family.name} drops without a word, but answers for itself`,
    async run(bed) {
      const { a } = await routed(bed, { forwarding: false })
      assert.equal((await ping(a, family.router)).kind, 'reply')
      const outcome = await ping(a, family.b, { timeout: 200 })
      assert.deepEqual(outcome, { kind: 'timeout' })
    },
  },
  {
    name: `a ${family.name} receiver behind a router sees the sender's own address`,
    async run(bed) {
      const { a, b } = await routed(bed)
      const server = bed.keep(await b.at.sockets.udp({ address: family.b, port: 9 }))
      const client = bed.keep(await a.at.sockets.udp({ address: family.a }))
      await client.send(bytes('hello'), server.local)
      const got = await bed.within('the datagram', (signal) => server.receive({ signal }))
      assert.deepEqual([textOf(got.data), got.from], ['hello', client.local])
    },
  },
  {
    name: `a TTL of 1 over ${family.name} ends at the router, which says so`,
    async run(bed) {
      const { a } = await routed(bed)
      const outcome = await ping(a, family.b, { ttl: 1 })
      assert.deepEqual(outcome, { kind: 'time-exceeded', from: family.router })
      assert.equal((await ping(a, family.b, { ttl: 2 })).kind, 'reply')
    },
  },
  {
    name: `a ${family.name} packet too big for the next link comes back with its MTU, and the path's MTU is known from then on`,
    async run(bed) {
      const { a } = await routed(bed, { mtu: 1400 })
      const fits = await ping(a, family.b, {
        dontFragment: true,
        payload: new Uint8Array(1400 - family.overhead),
      })
      assert.equal(fits.kind, 'reply')
      const payload = new Uint8Array(1400 - family.overhead + 1)
      const outcome = await ping(a, family.b, { dontFragment: true, payload })
      assert.deepEqual(outcome, { kind: 'too-big', from: family.router, mtu: 1400 })
      await refuses('EMSGSIZE', ping(a, family.b, { dontFragment: true, payload }))
      assert.equal((await a.at.routes.lookup({ destination: family.b })).mtu, 1400)
      assert.equal((await ping(a, family.b, { payload })).kind, 'reply')
    },
  },
  {
    name: `a router without an ${family.name} route says that the network is unreachable`,
    async run(bed) {
      const { a } = await routed(bed)
      const outcome = await ping(a, family.lost)
      assert.deepEqual(outcome, { kind: 'unreachable', from: family.router, code: family.codes.noRoute })
    },
  },
  ...(['unreachable', 'prohibit'] as const).map(
    (type): CaseBody => ({
      name: `a router answers for an ${family.name} route of type ${type} with its code`,
      async run(bed) {
        const { router, a } = await routed(bed)
        await router.at.routes.add({ destination: family.lostPrefix, type })
        const outcome = await ping(a, family.lost)
        assert.deepEqual(outcome, { kind: 'unreachable', from: family.router, code: family.codes[type] })
      },
    }),
  ),
  {
    name: `a router drops into an ${family.name} blackhole without a word`,
    async run(bed) {
      const { router, a } = await routed(bed)
      await router.at.routes.add({ destination: family.lostPrefix, type: 'blackhole' })
      const outcome = await ping(a, family.lost, { timeout: 200 })
      assert.deepEqual(outcome, { kind: 'timeout' })
    },
  },
  {
    name: `a router's ${family.name} lookup for a packet that came in tells where it leaves`,
    async run(bed) {
      const { router } = await routed(bed)
      const query = { destination: family.b, source: family.a, input: 'to-a' }
      const answer = await router.at.routes.lookup(query)
      assert.deepEqual([answer.type, answer.link, answer.table], ['unicast', 'to-b', 254])
    },
  },
  {
    name: `a TCP connection over ${family.name} survives a smaller MTU in the middle`,
    async run(bed) {
      const { a, b } = await routed(bed, { mtu: 1400 })
      const listener = bed.keep(await b.at.sockets.listen({ address: family.b, port: 80 }))
      const client = bed.keep(await a.at.sockets.connect(listener.local))
      const server = bed.keep(await bed.within('the connection', (signal) => listener.accept({ signal })))
      const sent = new Uint8Array(100_000).map((_, i) => i)
      const writing = client.write(sent).then(() => client.finish())
      let got = 0
      await bed.within('all octets', async (signal) => {
        for (;;) {
          const part = await server.read({ signal })
          if (part === undefined) return
          got += part.length
        }
      })
      await writing
      assert.equal(got, sent.length)
    },
  },
])

/** What random packets found. */
export const forwardingCases: readonly CaseBody[] = [
  ...ofBothFamilies,
  {
    name: 'a link whose MTU is below 1280 has no IPv6 address when it comes up',
    async run(bed) {
      const { a } = await routed(bed)
      const peer = { name: 'far', mtu: 1000 }
      await must(
        a.at,
        { op: 'link.add', link: { kind: 'veth', name: 'near', mtu: 1000, up: true, peer } },
        ...dress('far'),
        { op: 'link.set', name: 'near', change: { up: false } },
        { op: 'link.set', name: 'near', change: { up: true } },
      )
      assert.equal((await a.at.links.get('near')).running, true)
      const rows = await a.at.addresses.list()
      assert.deepEqual(
        rows.filter(({ link }) => link === 'near'),
        [],
      )
    },
  },
  {
    name: 'a route through an own address leads to the link as one without a gateway',
    async run(bed) {
      const { a } = await routed(bed)
      const gateway = ip('10.1.0.1')
      await a.at.routes.add({ destination: prefix('10.40.0.1/32'), gateway, link: 'eth0' })
      const answer = await a.at.routes.lookup({ destination: ip('10.40.0.1') })
      assert.deepEqual([answer.link, answer.gateway], ['eth0', undefined])
    },
  },
  {
    name: "a route's MTU counts also where it is above the link's, and an IPv6 route's follows the link",
    async run(bed) {
      const { a } = await routed(bed)
      for (const [destination, gateway] of [
        ['10.40.0.0/16', '10.1.0.254'],
        ['fd40::/16', 'fd01::fe'],
      ] as const) {
        await a.at.routes.add({ destination: prefix(destination), gateway: ip(gateway), mtu: 1400 })
      }
      await a.at.links.set('eth0', { mtu: 1300 })
      assert.equal((await a.at.routes.lookup({ destination: ip('10.40.0.1') })).mtu, 1400)
      assert.equal((await a.at.routes.lookup({ destination: ip('fd40::1') })).mtu, 1300)
    },
  },
]
