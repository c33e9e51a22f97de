import assert from 'node:assert/strict'
import { ip } from '@podfabric/netaddr'
import { bytes, type CaseBody, dress, must, ping, refuses, textOf } from './bed.ts'
import { joined } from './topology.ts'

const families = [
  {
    name: 'IPv4',
    a: ip('10.1.0.1'),
    b: ip('10.1.0.2'),
    any: ip('0.0.0.0'),
    foreign: ip('10.99.0.1'),
    most: 1472,
  },
  { name: 'IPv6', a: ip('fd01::1'), b: ip('fd01::2'), any: ip('::'), foreign: ip('fd99::1'), most: 1452 },
] as const

export const socketCases: readonly CaseBody[] = [
  ...families.flatMap((family): CaseBody[] => [
    {
      name: `a datagram arrives over ${family.name} with its sender and the address it was sent to, and is answered`,
      async run(bed) {
        const { a, b } = await joined(bed)
        const server = bed.keep(await b.at.sockets.udp({ address: family.any, port: 53 }))
        const client = bed.keep(await a.at.sockets.udp({ address: family.a }))
        assert.deepEqual(server.local, { address: family.any, port: 53 })
        assert.equal(client.local.address, family.a)
        await client.send(bytes('question'), { address: family.b, port: 53 })
        const question = await bed.within('the question', (signal) => server.receive({ signal }))
        assert.equal(textOf(question.data), 'question')
        assert.deepEqual(question.from, client.local)
        assert.deepEqual(question.to, { address: family.b, port: 53 })
        await server.send(bytes('answer'), question.from)
        const answer = await bed.within('the answer', (signal) => client.receive({ signal }))
        assert.equal(textOf(answer.data), 'answer')
        assert.deepEqual(answer.from, { address: family.b, port: 53 })
      },
    },
    {
      name: `datagrams over ${family.name} are read in order of arrival, empty ones too`,
      async run(bed) {
        const { a, b } = await joined(bed)
        const server = bed.keep(await b.at.sockets.udp({ address: family.b, port: 9 }))
        const client = bed.keep(await a.at.sockets.udp({ address: family.a }))
        for (const text of ['one', '', 'three']) await client.send(bytes(text), server.local)
        const seen: string[] = []
        await bed.within('three datagrams', async (signal) => {
          while (seen.length < 3) seen.push(textOf((await server.receive({ signal })).data))
        })
        assert.deepEqual(seen, ['one', '', 'three'])
      },
    },
    {
      name: `a ${family.name} datagram above the MTU arrives whole, or is refused where fragments are forbidden`,
      async run(bed) {
        const { a, b } = await joined(bed)
        const server = bed.keep(await b.at.sockets.udp({ address: family.b, port: 9 }))
        const client = bed.keep(await a.at.sockets.udp({ address: family.a }))
        const large = new Uint8Array(4000).map((_, i) => i)
        await client.send(large, server.local)
        const { data } = await bed.within('the large datagram', (signal) => server.receive({ signal }))
        assert.deepEqual(data, large)
        const dontFragment = true
        await client.send(large.subarray(0, family.most), server.local, { dontFragment })
        const fits = await bed.within('the one that fits', (signal) => server.receive({ signal }))
        assert.equal(fits.data.length, family.most)
        const over = large.subarray(0, family.most + 1)
        await refuses('EMSGSIZE', client.send(over, server.local, { dontFragment }))
      },
    },
    {
      name: `a taken ${family.name} port is EADDRINUSE, an address of others EADDRNOTAVAIL`,
      async run(bed) {
        const { a } = await joined(bed)
        bed.keep(await a.at.sockets.udp({ address: family.a, port: 53 }))
        await refuses('EADDRINUSE', a.at.sockets.udp({ address: family.a, port: 53 }))
        await refuses('EADDRINUSE', a.at.sockets.udp({ address: family.any, port: 53 }))
        await refuses('EADDRNOTAVAIL', a.at.sockets.udp({ address: family.foreign }))
      },
    },
    {
      name: `sending over ${family.name} without a route is ENETUNREACH`,
      async run(bed) {
        const { a } = await joined(bed)
        const client = bed.keep(await a.at.sockets.udp({ address: family.any }))
        await refuses('ENETUNREACH', client.send(bytes('x'), { address: family.foreign, port: 9 }))
      },
    },
    {
      name: `an ${family.name} echo is answered with its payload, a full TTL and the asked address`,
      async run(bed) {
        const { a } = await joined(bed)
        const payload = bytes('anybody there')
        const outcome = await ping(a, family.b, { payload, sequence: 7 })
        assert.deepEqual(outcome, { kind: 'reply', from: family.b, ttl: 64, payload })
      },
    },
    {
      name: `an ${family.name} echo to an own address is answered`,
      async run(bed) {
        const { a } = await joined(bed)
        assert.equal((await ping(a, family.a)).kind, 'reply')
      },
    },
    {
      name: `an ${family.name} echo above the MTU is answered in fragments, or refused where they are forbidden`,
      async run(bed) {
        const { a } = await joined(bed)
        const payload = new Uint8Array(3000).map((_, i) => i * 7)
        const outcome = await ping(a, family.b, { payload })
        assert(outcome.kind === 'reply')
        assert.deepEqual(outcome.payload, payload)
        const forbidden = { destination: family.b, payload, dontFragment: true }
        await refuses('EMSGSIZE', a.at.sockets.echo(forbidden))
      },
    },
    {
      name: `an ${family.name} echo without a route is ENETUNREACH`,
      async run(bed) {
        const { a } = await joined(bed)
        await refuses('ENETUNREACH', ping(a, family.foreign))
      },
    },
    {
      name: `an ${family.name} echo whose answer finds no way back times out`,
      async run(bed) {
        const { a } = await joined(bed)
        await must(a.at, ...dress('lo', family.name === 'IPv4' ? '10.98.0.1/32' : 'fd98::1/128'))
        const source = family.name === 'IPv4' ? ip('10.98.0.1') : ip('fd98::1')
        const outcome = await ping(a, family.b, { source, timeout: 200 })
        assert.deepEqual(outcome, { kind: 'timeout' })
      },
    },
  ]),
  {
    name: 'a socket without a local end takes any IPv4 address and a free high port',
    async run(bed) {
      const { a } = await joined(bed)
      const socket = bed.keep(await a.at.sockets.udp())
      assert.equal(socket.local.address, '0.0.0.0')
      assert(socket.local.port >= 32768 && socket.local.port <= 60999, `port ${socket.local.port}`)
    },
  },
  {
    name: 'an IPv6 wildcard leaves the port free for IPv4',
    async run(bed) {
      const { a } = await joined(bed)
      bed.keep(await a.at.sockets.udp({ address: ip('::'), port: 53 }))
      bed.keep(await a.at.sockets.udp({ address: ip('0.0.0.0'), port: 53 }))
    },
  },
  {
    name: 'a closed socket gives its port back, and waiting on it ends with EBADF',
    async run(bed) {
      const { a } = await joined(bed)
      const socket = await a.at.sockets.udp({ address: ip('10.1.0.1'), port: 53 })
      const waiting = socket.receive()
      await Promise.all([refuses('EBADF', waiting), socket.close()])
      await refuses('EBADF', socket.receive())
      await refuses('EBADF', socket.send(bytes('x'), { address: ip('10.1.0.2'), port: 9 }))
      await socket.close()
      bed.keep(await a.at.sockets.udp({ address: ip('10.1.0.1'), port: 53 }))
    },
  },
  {
    name: "an aborted receive rejects with the signal's reason and loses no datagram",
    async run(bed) {
      const { a, b } = await joined(bed)
      const server = bed.keep(await b.at.sockets.udp({ address: ip('10.1.0.2'), port: 9 }))
      const client = bed.keep(await a.at.sockets.udp())
      const abort = new AbortController()
      const waiting = server.receive({ signal: abort.signal })
      const reason = new Error('no longer wanted')
      abort.abort(reason)
      await assert.rejects(waiting, reason)
      await assert.rejects(server.receive({ signal: abort.signal }), reason)
      await client.send(bytes('kept'), server.local)
      const { data } = await bed.within('the datagram', (signal) => server.receive({ signal }))
      assert.equal(textOf(data), 'kept')
    },
  },
  {
    name: 'the octets of a datagram are copied when it is sent',
    async run(bed) {
      const { a, b } = await joined(bed)
      const server = bed.keep(await b.at.sockets.udp({ address: ip('10.1.0.2'), port: 9 }))
      const client = bed.keep(await a.at.sockets.udp())
      const data = bytes('before')
      await client.send(data, server.local)
      data.fill(0)
      const got = await bed.within('the datagram', (signal) => server.receive({ signal }))
      assert.equal(textOf(got.data), 'before')
    },
  },
  {
    name: 'more octets than a datagram holds are EMSGSIZE',
    async run(bed) {
      const { a } = await joined(bed)
      const client = bed.keep(await a.at.sockets.udp())
      await refuses('EMSGSIZE', client.send(new Uint8Array(65_508), { address: ip('10.1.0.2'), port: 9 }))
    },
  },
  {
    name: 'a socket reaches its own namespace over loopback, and no other',
    async run(bed) {
      const { a, b } = await joined(bed)
      const local = { address: ip('127.0.0.1'), port: 8081 }
      const here = bed.keep(await a.at.sockets.udp(local))
      const there = bed.keep(await b.at.sockets.udp(local))
      const client = bed.keep(await a.at.sockets.udp({ address: ip('127.0.0.1') }))
      await client.send(bytes('here'), local)
      const got = await bed.within('the datagram', (signal) => here.receive({ signal }))
      assert.equal(textOf(got.data), 'here')
      await assert.rejects(
        bed.within('nothing', (signal) => there.receive({ signal }), 100),
        /in vain/,
      )
    },
  },
  {
    name: 'an open socket keeps its namespace alive after every reference and name is gone',
    async run(bed) {
      const node = await bed.node()
      const netns = await node.kernel.netns.create('pod')
      const at = node.kernel.in(netns)
      await must(
        node.at,
        { op: 'link.add', link: { kind: 'veth', name: 'near', peer: { name: 'eth0', netns } } },
        ...dress('near', '10.7.0.1/24'),
      )
      await must(at, ...dress('eth0', '10.7.0.2/24'))
      const socket = bed.keep(await at.sockets.udp({ address: ip('10.7.0.2'), port: 9 }))
      await at[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
      await node.kernel.netns.delete('pod')
      const client = bed.keep(await node.at.sockets.udp())
      await client.send(bytes('still there'), socket.local)
      const got = await bed.within('the datagram', (signal) => socket.receive({ signal }))
      assert.equal(textOf(got.data), 'still there')
    },
  },
]
