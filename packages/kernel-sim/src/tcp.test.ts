import { ip } from '@podfabric/netaddr'
import { tcp, toHex } from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import { type PipeOptions, pattern, readAll, tcpPipe } from '../test/tcp-pipe.ts'
import { turns } from './turn.ts'

async function connected(options: PipeOptions = {}) {
  const pipe = tcpPipe(options)
  const listener = pipe.b.listen({ address: pipe.addresses.b, port: 80 })
  const [client, server] = await Promise.all([
    pipe.a.connect({ address: pipe.addresses.b, port: 80 }),
    listener.accept(),
  ])
  return { ...pipe, listener, client, server }
}

function flagsOf(segment: Uint8Array): string {
  const { header } = tcp.decode(segment, 'unchecked')
  const names = ['fin', 'syn', 'rst', 'psh', 'ack']
  return names.filter((_, bit) => (header.flags & (1 << bit)) !== 0).join(' ')
}

describe.each([4, 6] as const)('over IPv%i', (family) => {
  it('connects, and both ends agree on the addresses and ports', async () => {
    const { client, server, addresses } = await connected({ family })
    expect(client.remote).toEqual({ address: addresses.b, port: 80 })
    expect(client.local.address).toBe(addresses.a)
    expect(client.local.port).toBeGreaterThanOrEqual(32_768)
    expect(client.local.port).toBeLessThanOrEqual(60_999)
    expect(server.local).toEqual(client.remote)
    expect(server.remote).toEqual(client.local)
  })

  it('carries octets both ways, and every segment has a right checksum', async () => {
    const { client, server, sent, addresses } = await connected({ family })
    const [up, down] = [pattern(100_000, 1), pattern(50_000, 2)]
    const received = Promise.all([readAll(server), readAll(client)])
    await Promise.all([client.write(up), server.write(down)])
    await Promise.all([client.finish(), server.finish()])
    expect(await received).toEqual([up, down])
    const ends = { source: addresses.a, destination: addresses.b }
    for (const { segment } of sent) expect(() => tcp.decode(segment, ends)).not.toThrow()
    const largest = Math.max(...sent.map(({ segment }) => segment.length))
    expect(largest).toBe(1500 - (family === 4 ? 20 : 40))
  })

  it('refuses where nobody listens', async () => {
    const { a, addresses } = tcpPipe({ family })
    const refused = a.connect({ address: addresses.b, port: 81 })
    await expect(refused).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('sends smaller segments when the path shrinks, and loses nothing', async () => {
    const { client, server, path, sent } = await connected({ family })
    path.mtu = 1300
    const before = sent.length
    const data = pattern(200_000)
    const received = readAll(server)
    await client.write(data)
    await client.finish()
    expect(await received).toEqual(data)
    const sizes = sent.slice(before).map(({ segment }) => segment.length + (family === 4 ? 20 : 40))
    expect(Math.max(...sizes)).toBe(1500)
    expect(sizes.filter((size) => size > 1300).length).toBeLessThan(sizes.length / 4)
    expect(sizes).toContain(1300)
  })

  it('remembers what the path takes after a timeout', async () => {
    const { client, server, path, sent, clock } = await connected({ family })
    path.mtu = 1300
    const received = readAll(server)
    await client.write(pattern(20_000))
    await clock.advance(1000)
    const before = sent.length
    path.cut = true
    await client.write(pattern(20_000))
    await clock.advance(1000)
    path.cut = false
    await client.finish()
    expect((await received).length).toBe(40_000)
    const sizes = sent.slice(before).map(({ segment }) => segment.length + (family === 4 ? 20 : 40))
    expect(Math.max(...sizes)).toBe(1300)
  })
})

describe('the handshake', () => {
  it('has these octets', async () => {
    const { sent } = await connected({ seed: 7 })
    const texts = sent.map(({ from, segment }) => `${from} ${toHex(segment)}`)
    expect(texts).toMatchInlineSnapshot(`
      [
        "a b22600506a916dcc00000000a002ffff43860000020405b40101080a105558530000000001030303",
        "b 0050b226df4c6ad36a916dcda012ffff25090000020405b40101080a2f97a4b41055585301030303",
        "a b22600506a916dcddf4c6ad480108000d0bb00000101080a105558672f97a4b4",
      ]
    `)
  })

  it('is sent again when lost, once a second at first, and given up with ETIMEDOUT', async () => {
    const { a, addresses, path, sent, clock } = tcpPipe()
    path.cut = true
    const start = clock.now()
    await expect(a.connect({ address: addresses.b, port: 80 })).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    const seconds = sent.map(({ at }) => (at - start) / 1000)
    expect(seconds).toEqual([0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67])
    expect(clock.now() - start).toBe(131_000)
    expect(new Set(sent.map(({ segment }) => toHex(segment.subarray(0, 8)))).size).toBe(1)
  })

  it('fails at once without a route', async () => {
    const { a, addresses, path } = tcpPipe()
    path.routed = false
    await expect(a.connect({ address: addresses.b, port: 80 })).rejects.toMatchObject({ code: 'ENETUNREACH' })
  })

  it('is ended by what ICMP says of its SYN, and only of its own', async () => {
    const { a, addresses, path, sent } = tcpPipe()
    path.cut = true
    const outcome = a.connect({ address: addresses.b, port: 80 })
    const { segment } = sent[0] ?? expect.fail('no SYN was sent')
    const quoted = new Uint8Array([10, 0, 0, 1, 10, 0, 0, 2, ...segment.subarray(0, 8)])
    const forged = quoted.slice()
    forged[15] = (forged[15] ?? 0) ^ 1
    a.icmpError(forged, 8, 0, 4, { kind: 'unreachable', code: 'ENETUNREACH' })
    a.icmpError(quoted, 8, 0, 4, { kind: 'unreachable', code: 'EHOSTUNREACH' })
    await expect(outcome).rejects.toMatchObject({ code: 'EHOSTUNREACH' })
  })

  it('can be aborted', async () => {
    const { a, addresses, path } = tcpPipe()
    path.cut = true
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(a.connect({ address: addresses.b, port: 80 }, { signal })).rejects.toBe(reason)
    const controller = new AbortController()
    const outcome = a.connect({ address: addresses.b, port: 80 }, { signal: controller.signal })
    controller.abort(reason)
    await expect(outcome).rejects.toBe(reason)
  })

  it('works from both sides at once', async () => {
    const { a, b, addresses } = tcpPipe()
    const [left, right] = await Promise.all([
      a.connect({ address: addresses.b, port: 2000 }, { local: { port: 1000 } }),
      b.connect({ address: addresses.a, port: 1000 }, { local: { port: 2000 } }),
    ])
    await left.write(pattern(10))
    expect(await right.read()).toEqual(pattern(10))
    await Promise.all([left.finish(), right.finish()])
    expect(await Promise.all([left.read(), right.read()])).toEqual([undefined, undefined])
  })
})

describe('addresses and ports', () => {
  it('are taken once', async () => {
    const { a, addresses } = tcpPipe()
    const listener = a.listen({ address: addresses.a, port: 80 })
    expect(() => a.listen({ port: 80 })).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    a.listen({ address: ip('::'), port: 80 })
    await listener.close()
    expect(a.listen({ port: 80 }).local).toEqual({ address: '0.0.0.0', port: 80 })
  })

  it('are refused where they are not of the namespace', async () => {
    const { a, b, addresses } = tcpPipe()
    const foreign = { address: addresses.b, port: 80 }
    expect(() => a.listen(foreign)).toThrow(expect.objectContaining({ code: 'EADDRNOTAVAIL' }))
    b.listen(foreign)
    const connecting = a.connect(foreign, { local: { address: ip('10.9.9.9') } })
    await expect(connecting).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' })
  })

  it('are chosen where not given', () => {
    const { a } = tcpPipe()
    const ports = [a.listen({}), a.listen({}), a.listen({ port: 0 })].map(({ local }) => local.port)
    expect(new Set(ports).size).toBe(3)
    for (const port of ports) expect(port).toBeGreaterThanOrEqual(32_768)
  })
})

describe('the end of a connection', () => {
  it('can be of one direction only', async () => {
    const { client, server } = await connected()
    await client.write(pattern(10))
    await client.finish()
    expect(await readAll(server)).toEqual(pattern(10))
    expect(await server.read()).toBeUndefined()
    await server.write(pattern(20))
    expect(await client.read()).toEqual(pattern(20))
    await expect(client.write(pattern(1))).rejects.toMatchObject({ code: 'EPIPE' })
    await server.close()
    expect(await client.read()).toBeUndefined()
  })

  it('is FIN and ACK both ways, then silence', async () => {
    const { client, server, sent, clock } = await connected()
    const before = sent.length
    await client.close()
    expect(await server.read()).toBeUndefined()
    await server.close()
    await clock.advance(200_000)
    const flags = sent.slice(before).map(({ from, segment }) => `${from} ${flagsOf(segment)}`)
    expect(flags).toEqual(['a fin psh ack', 'b ack', 'b fin psh ack', 'a ack'])
  })

  it('may come from both sides at once', async () => {
    const { client, server } = await connected()
    const reads = Promise.all([client.read(), server.read()])
    await Promise.all([client.finish(), server.finish()])
    expect(await reads).toEqual([undefined, undefined])
  })

  it('is a reset when asked for: the other side reads what arrived before, then ECONNRESET', async () => {
    const { client, server, clock } = await connected()
    await client.write(pattern(10))
    await clock.advance(100)
    await client.reset()
    await clock.advance(100)
    expect(await server.read()).toEqual(pattern(10))
    await expect(server.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect(server.write(pattern(1))).rejects.toMatchObject({ code: 'ECONNRESET' })
    await expect(client.read()).rejects.toMatchObject({ code: 'EBADF' })
  })

  it('is a reset when octets were left unread', async () => {
    const { client, server, clock } = await connected()
    await client.write(pattern(10))
    await clock.advance(100)
    await server.close()
    await expect(client.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  it('is ETIMEDOUT for both writer and reader when the path is cut under way', async () => {
    const { client, path, sent } = await connected()
    path.cut = true
    const before = sent.length
    const reading = expect(client.read()).rejects.toMatchObject({ code: 'ETIMEDOUT' })
    await client.write(pattern(10))
    await reading
    const times = sent.slice(before).map(({ at }) => at)
    expect(times).toHaveLength(16)
    const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0))
    waits.slice(1).forEach((wait, i) => {
      expect(wait).toBeCloseTo(Math.min(120_000, 2 * (waits[i] ?? 0)), 0)
    })
    expect(waits[0]).toBeGreaterThanOrEqual(200)
  })

  it('of a listener resets those who wait to be accepted', async () => {
    const pipe = tcpPipe()
    const listener = pipe.b.listen({ port: 80 })
    const accepting = expect(pipe.b.listen({ port: 81 }).accept()).rejects.toMatchObject({ code: 'EBADF' })
    const client = await pipe.a.connect({ address: pipe.addresses.b, port: 80 })
    await pipe.clock.advance(100)
    await listener.close()
    await expect(client.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
    pipe.b.destroy()
    await accepting
  })

  it('lets a new connection come from the same port', async () => {
    const { a, listener, client, server, addresses, clock } = await connected()
    await client.close()
    await server.close()
    await clock.advance(1000)
    const again = a.connect({ address: addresses.b, port: 80 }, { local: { port: client.local.port } })
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await clock.advance(60_000)
    const [next, accepted] = await Promise.all([
      a.connect({ address: addresses.b, port: 80 }, { local: { port: client.local.port } }),
      listener.accept(),
    ])
    await next.write(pattern(5))
    expect(await accepted.read()).toEqual(pattern(5))
  })
})

describe('a slow reader', () => {
  it('makes the writer wait, and gets everything in the end', async () => {
    const { client, server, clock } = await connected()
    const data = pattern(2_000_000)
    let accepted = false
    const writing = client.write(data).then(() => {
      accepted = true
      return client.finish()
    })
    await clock.advance(5000)
    expect(accepted).toBe(false)
    const all = await readAll(server)
    await writing
    expect(all).toEqual(data)
  })

  it('is asked for its window when the word of it was lost', async () => {
    const { client, server, clock, path } = await connected()
    const writing = client.write(pattern(600_000))
    await clock.advance(2000)
    path.loss = 1
    const first = await server.read()
    await clock.advance(50)
    path.loss = 0
    const rest = readAll(server)
    await writing
    await client.finish()
    expect((first?.length ?? 0) + (await rest).length).toBe(600_000)
  })

  it('does not keep a virtual clock going for ever', async () => {
    const { client, sent, clock } = await connected()
    void client.write(pattern(600_000))
    await clock.advance(2000)
    const before = sent.length
    await turns.settle()
    for (let quiet = 0, now = clock.now(); quiet < 3; now = clock.now()) {
      await turns.settle()
      quiet = now === clock.now() ? quiet + 1 : 0
    }
    expect(sent.length - before).toBeLessThan(20)
    expect(clock.now()).toBeLessThan(200_000)
  })

  it('takes an aborted read for none', async () => {
    const { client, server } = await connected()
    const controller = new AbortController()
    const reading = server.read({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(reading).rejects.toThrow('enough')
    await client.write(pattern(3))
    expect(await server.read()).toEqual(pattern(3))
  })
})

describe('segments out of place', () => {
  it('change nothing: a reset with another sequence number is answered, not obeyed', async () => {
    const { a, client, server, sent } = await connected()
    const last = sent.filter(({ from }) => from === 'b').at(-1) ?? expect.fail('nothing came')
    const { header } = tcp.decode(last.segment, 'unchecked')
    const packet = new Uint8Array(28)
    packet.set([10, 0, 0, 2, 10, 0, 0, 1])
    const reset = { ...header, sequence: (header.sequence + 100) >>> 0, flags: 4, options: [] }
    tcp.encode(reset, packet.subarray(8), { source: ip('10.0.0.2'), destination: ip('10.0.0.1') })
    const before = sent.length
    expect(a.input(packet, 8, 28, 0, 4)).toBe('SOCKET')
    expect(sent.slice(before).map(({ segment }) => flagsOf(segment))).toEqual(['ack'])
    await client.write(pattern(5))
    expect(await server.read()).toEqual(pattern(5))
  })

  it('are told apart for the trace', () => {
    const { a } = tcpPipe()
    const packet = new Uint8Array(28)
    packet.set([10, 0, 0, 2, 10, 0, 0, 1])
    expect(a.input(packet, 8, 20, 0, 4)).toBe('MALFORMED')
    const header = { sourcePort: 1, destinationPort: 2, sequence: 3, flags: 2, acknowledgment: 0 }
    const syn = { ...header, window: 1, urgentPointer: 0, options: [] }
    tcp.encode(syn, packet.subarray(8), { source: ip('10.0.0.2'), destination: ip('10.0.0.1') })
    expect(a.input(packet, 8, 28, 0, 4)).toBe('NO_SOCKET')
    packet[24] = (packet[24] ?? 0) ^ 1
    expect(a.input(packet, 8, 28, 0, 4)).toBe('BAD_CHECKSUM')
  })
})
