import { ip } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { Bed, joined } from '../test/bed.ts'
import { simulate } from './simulate.ts'

describe('hops', () => {
  it('are numbered as they happened, with octets of their own', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    await a.at.sockets.echo({ destination: ip('10.1.0.2') })
    expect(bed.hops.map(({ sequence }) => sequence)).toEqual(bed.hops.map((_, i) => i))
    const buffers = new Set(bed.hops.map(({ bytes }) => bytes.buffer))
    expect(buffers.size).toBe(bed.hops.length)
  })

  it('name the packet that caused one: ARP its datagram, an answer its question', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    await a.at.sockets.echo({ destination: ip('10.1.0.2') })
    const [request] = bed.hops.filter(({ step, layer }) => step === 'send' && layer === 'ip')
    const arp = bed.hops.find(({ step, layer }) => step === 'send' && layer === 'ethernet')
    expect(arp?.cause).toBe(request?.packet)
    const reply = bed.hops.filter(({ step, layer }) => step === 'send' && layer === 'ip')[1]
    expect(reply?.cause).toBe(request?.packet)
    expect(reply?.packet).not.toBe(request?.packet)
  })

  it('are heard until the handle is disposed or the signal aborted', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    let one = 0
    let two = 0
    const handle = bed.network.on('hop', () => one++)
    const abort = new AbortController()
    bed.network.on('hop', () => two++, { signal: abort.signal })
    await a.at.sockets.echo({ destination: ip('10.1.0.2') })
    expect(one).toBeGreaterThan(0)
    expect(two).toBe(one)
    const [ones, twos] = [one, two]
    handle[Symbol.dispose]()
    abort.abort()
    await a.at.sockets.echo({ destination: ip('10.1.0.2') })
    expect([one, two]).toEqual([ones, twos])
    bed.network.on('hop', () => one++, { signal: AbortSignal.abort() })
    await a.at.sockets.echo({ destination: ip('10.1.0.2') })
    expect(one).toBe(ones)
  })

  it('harm nobody by a listener that throws: the log hears of it', async () => {
    const errors: unknown[] = []
    const bed = new Bed({ log: { error: (_message, cause) => errors.push(cause) } })
    const bad = new Error('bad listener')
    bed.network.on('hop', () => {
      throw bad
    })
    let heard = 0
    bed.network.on('hop', () => heard++)
    const { a } = await joined(bed)
    expect((await a.at.sockets.echo({ destination: ip('10.1.0.2') })).kind).toBe('reply')
    expect(errors.length).toBe(heard)
    expect(errors[0]).toBe(bad)
  })

  it('do not change what happens: packets are the same with and without a listener', async () => {
    const run = async (listen: boolean) => {
      const network = simulate({ seed: 5 })
      if (listen) network.on('hop', () => {})
      const kernel = network.node('n')
      const at = kernel.in(kernel.netns.host)
      await at.links.add({ kind: 'veth', name: 'v0', up: true, peer: { name: 'v1' } })
      const capture = await at.capture('lo')
      await at.sockets.echo({ destination: ip('127.0.0.1') })
      await capture.close()
      const frames: Uint8Array[] = []
      for await (const { bytes } of capture) frames.push(bytes)
      return [(await at.links.get('v0')).mac, frames]
    }
    expect(await run(true)).toEqual(await run(false))
  })

  it('end with the reason where nobody listens at a port', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    const socket = await a.at.sockets.udp()
    await socket.send(Uint8Array.of(1), { address: ip('10.1.0.2'), port: 9 })
    const end = bed.hops.find(({ reason }) => reason === 'NO_SOCKET')
    expect(end).toMatchObject({ step: 'drop', node: 'node-1', netns: 'b', link: 'eth0' })
    await expect(a.at.sockets.connect({ address: ip('10.1.0.2'), port: 9 })).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    })
  })

  it('say when a socket takes no more', async () => {
    const bed = new Bed()
    const { a, b } = await joined(bed)
    const server = await b.at.sockets.udp({ address: ip('10.1.0.2'), port: 9 })
    const client = await a.at.sockets.udp()
    for (let i = 0; i < 300; i++) await client.send(Uint8Array.of(i), server.local)
    expect(bed.drops().filter((reason) => reason === 'SOCKET_FULL')).toHaveLength(44)
    for (let i = 0; i < 256; i++) expect((await server.receive()).data[0]).toBe(i)
  })
})
