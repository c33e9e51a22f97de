import assert from 'node:assert/strict'
import { ip } from '@podfabric/netaddr'
import type { TcpConnection } from '../sockets.ts'
import { type Bed, bytes, type CaseBody, type Place, refuses, textOf } from './bed.ts'
import { joined } from './topology.ts'

interface Pair {
  readonly a: Place
  readonly b: Place
  readonly client: TcpConnection
  readonly server: TcpConnection
}

async function connected(bed: Bed, address = ip('10.1.0.2')): Promise<Pair> {
  const { a, b } = await joined(bed)
  const listener = bed.keep(await b.at.sockets.listen({ address, port: 80 }))
  const client = bed.keep(await a.at.sockets.connect({ address, port: 80 }))
  const server = bed.keep(await bed.within('the connection', (signal) => listener.accept({ signal })))
  return { a, b, client, server }
}

async function readAll(bed: Bed, connection: TcpConnection): Promise<Uint8Array> {
  return bed.within(
    'the end of the stream',
    async (signal) => {
      const parts: number[] = []
      for (;;) {
        const part = await connection.read({ signal })
        if (part === undefined) return Uint8Array.from(parts)
        for (const octet of part) parts.push(octet)
      }
    },
    20_000,
  )
}

export const tcpCases: readonly CaseBody[] = [
  ...(['10.1.0.2', 'fd01::2'] as const).map(
    (text): CaseBody => ({
      name: `a TCP connection to ${text} carries octets both ways and ends when both have finished`,
      async run(bed) {
        const { client, server } = await connected(bed, ip(text))
        assert.deepEqual(client.remote, { address: text, port: 80 })
        assert.deepEqual(server.remote, client.local)
        assert.deepEqual(server.local, client.remote)
        await client.write(bytes('question'))
        const question = await bed.within('the question', (signal) => server.read({ signal }))
        assert.equal(textOf(question), 'question')
        await client.finish()
        assert.equal(await bed.within('the end', (signal) => server.read({ signal })), undefined)
        await server.write(bytes('answer'))
        await server.finish()
        assert.equal(textOf(await readAll(bed, client)), 'answer')
        assert.equal(await client.read(), undefined)
      },
    }),
  ),
  {
    name: 'a long stream arrives whole and in order, while nobody reads and after',
    async run(bed) {
      const { client, server } = await connected(bed)
      const sent = new Uint8Array(1_000_000).map((_, i) => (i * 31) ^ (i >> 8))
      const writing = client.write(sent).then(() => client.finish())
      const got = await readAll(bed, server)
      await writing
      assert.equal(got.length, sent.length)
      assert.deepEqual(got, sent)
    },
  },
  {
    name: 'connecting where nobody listens is ECONNREFUSED',
    async run(bed) {
      const { a } = await joined(bed)
      for (const text of ['10.1.0.2', 'fd01::2']) {
        await refuses('ECONNREFUSED', a.at.sockets.connect({ address: ip(text), port: 81 }))
      }
    },
  },
  {
    name: 'connecting without a route is ENETUNREACH, to a host that does not answer EHOSTUNREACH',
    async run(bed) {
      const { a } = await joined(bed)
      await refuses('ENETUNREACH', a.at.sockets.connect({ address: ip('10.99.0.1'), port: 80 }))
      await refuses('EHOSTUNREACH', a.at.sockets.connect({ address: ip('10.1.0.77'), port: 80 }))
    },
  },
  {
    name: 'a connection can choose its local end',
    async run(bed) {
      const { a, b } = await joined(bed)
      const remote = { address: ip('10.1.0.2'), port: 80 }
      const listener = bed.keep(await b.at.sockets.listen(remote))
      const local = { address: ip('10.1.0.1'), port: 4000 }
      const client = bed.keep(await a.at.sockets.connect(remote, { local }))
      assert.deepEqual(client.local, local)
      const server = bed.keep(await bed.within('the connection', (signal) => listener.accept({ signal })))
      assert.deepEqual(server.remote, local)
      const foreign = { local: { address: ip('10.99.0.1') } }
      await refuses('EADDRNOTAVAIL', a.at.sockets.connect(remote, foreign))
    },
  },
  {
    name: 'a port that is listened on is EADDRINUSE, and free again when closed',
    async run(bed) {
      const { a } = await joined(bed)
      const local = { address: ip('10.1.0.1'), port: 80 }
      const listener = await a.at.sockets.listen(local)
      assert.deepEqual(listener.local, local)
      await refuses('EADDRINUSE', a.at.sockets.listen(local))
      await refuses('EADDRNOTAVAIL', a.at.sockets.listen({ address: ip('10.99.0.1'), port: 80 }))
      const waiting = listener.accept()
      await Promise.all([refuses('EBADF', waiting), listener.close()])
      bed.keep(await a.at.sockets.listen(local))
    },
  },
  {
    name: 'port 0 takes a free one',
    async run(bed) {
      const { a } = await joined(bed)
      const listener = bed.keep(await a.at.sockets.listen({ address: ip('10.1.0.1') }))
      assert(listener.local.port > 0)
    },
  },
  {
    name: 'writing after finish is EPIPE',
    async run(bed) {
      const { client } = await connected(bed)
      await client.finish()
      await refuses('EPIPE', client.write(bytes('late')))
    },
  },
  {
    name: 'a reset is ECONNRESET for the other side',
    async run(bed) {
      const { client, server } = await connected(bed)
      await client.reset()
      await refuses(
        'ECONNRESET',
        bed.within('the reset', (signal) => server.read({ signal })),
      )
    },
  },
  {
    name: 'closing a listener resets connections that nobody accepted',
    async run(bed) {
      const { a, b } = await joined(bed)
      const remote = { address: ip('10.1.0.2'), port: 80 }
      const listener = await b.at.sockets.listen(remote)
      const client = bed.keep(await a.at.sockets.connect(remote))
      await listener.close()
      await refuses(
        'ECONNRESET',
        bed.within('the reset', (signal) => client.read({ signal })),
      )
    },
  },
  {
    name: 'close lets the octets that were written arrive, and the other side see the end',
    async run(bed) {
      const { client, server } = await connected(bed)
      await client.write(bytes('last words'))
      await client.close()
      assert.equal(textOf(await readAll(bed, server)), 'last words')
      await refuses('EBADF', client.read())
    },
  },
  {
    name: "an aborted read or accept rejects with the signal's reason and loses nothing",
    async run(bed) {
      const { a, b } = await joined(bed)
      const remote = { address: ip('10.1.0.2'), port: 80 }
      const listener = bed.keep(await b.at.sockets.listen(remote))
      const reason = new Error('no longer wanted')
      const first = new AbortController()
      const accepting = listener.accept({ signal: first.signal })
      first.abort(reason)
      await assert.rejects(accepting, reason)
      const client = bed.keep(await a.at.sockets.connect(remote))
      const server = bed.keep(await bed.within('the connection', (signal) => listener.accept({ signal })))
      const second = new AbortController()
      const reading = server.read({ signal: second.signal })
      second.abort(reason)
      await assert.rejects(reading, reason)
      await client.write(bytes('kept'))
      assert.equal(textOf(await bed.within('the octets', (signal) => server.read({ signal }))), 'kept')
    },
  },
  {
    name: "an aborted connect rejects with the signal's reason",
    async run(bed) {
      const { a } = await joined(bed)
      const reason = new Error('no longer wanted')
      const abort = new AbortController()
      const remote = { address: ip('10.1.0.77'), port: 80 }
      const connecting = a.at.sockets.connect(remote, { signal: abort.signal })
      abort.abort(reason)
      await assert.rejects(connecting, reason)
    },
  },
]
