import { ifAddress, ip } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { Bed, dress, forwarding, must, route, text } from '../test/bed.ts'

describe('underlay', () => {
  it('carries frames between the cards of its nodes, each after the latency', async () => {
    const bed = new Bed()
    const one = bed.attached(1)
    bed.attached(2)
    bed.underlay.set({ latency: 5 })
    await one.host.sockets.echo({ destination: ip('192.168.50.2') })
    const before = bed.clock.now()
    const outcome = await one.host.sockets.echo({ destination: ip('192.168.50.2') })
    expect(outcome.kind).toBe('reply')
    expect(bed.clock.now() - before).toBe(10)
  })

  it('keeps frames in order, also where the latency falls', async () => {
    const bed = new Bed()
    const one = bed.attached(1)
    const two = bed.attached(2)
    const server = await two.host.sockets.udp({ port: 9 })
    const client = await one.host.sockets.udp()
    const to = { address: ip('192.168.50.2'), port: 9 }
    await client.send(text('warm'), to)
    await server.receive()
    bed.underlay.set({ latency: 20 })
    await client.send(text('a'), to)
    bed.underlay.set({ latency: 1 })
    await client.send(text('b'), to)
    const seen = [await server.receive(), await server.receive()].map(({ data }) =>
      new TextDecoder().decode(data),
    )
    expect(seen).toEqual(['a', 'b'])
  })

  it('loses as many frames as it is told, and says so', async () => {
    const bed = new Bed({ seed: 3 })
    const one = bed.attached(1)
    const two = bed.attached(2)
    const server = await two.host.sockets.udp({ port: 9 })
    const client = await one.host.sockets.udp()
    const to = { address: ip('192.168.50.2'), port: 9 }
    await client.send(text('x'), to)
    bed.underlay.set({ loss: 0.25 })
    for (let i = 0; i < 200; i++) await client.send(text('x'), to)
    const lost = bed.drops().filter((reason) => reason === 'LOST').length
    expect(lost).toBeGreaterThan(30)
    expect(lost).toBeLessThan(70)
    let received = 0
    while (received < 201 - lost) {
      await server.receive()
      received++
    }
  })

  it('loses frames above its MTU without a word: the black hole of path MTU discovery', async () => {
    const bed = new Bed()
    const underlay = bed.network.underlay({ mtu: 1400 })
    for (const n of [1, 2]) {
      underlay.attach(`node-${n}`, { mtu: 1500, addresses: [ifAddress(`10.5.0.${n}/24`)] })
    }
    const { host } = bed.node('node-1')
    const destination = ip('10.5.0.2')
    expect((await host.sockets.echo({ destination })).kind).toBe('reply')
    const payload = new Uint8Array(1472)
    expect((await host.sockets.echo({ destination, payload })).kind).toBe('timeout')
    expect(bed.drops()).toContain('TOO_BIG')
  })

  it('cuts one node off and heals it: the card loses its carrier meanwhile', async () => {
    const bed = new Bed()
    const one = bed.attached(1)
    const two = bed.attached(2)
    const destination = ip('192.168.50.2')
    bed.underlay.cut('node-2')
    expect(await two.host.links.get('eth0')).toMatchObject({ up: true, running: false })
    expect((await one.host.links.get('eth0')).running).toBe(true)
    expect((await one.host.sockets.echo({ destination, timeout: 100 })).kind).toBe('timeout')
    expect(bed.drops()).toContain('NO_CARRIER')
    bed.underlay.heal('node-2')
    expect((await one.host.sockets.echo({ destination, timeout: 5000 })).kind).toBe('reply')
    bed.underlay.cut()
    expect((await one.host.links.get('eth0')).running).toBe(false)
    bed.underlay.heal()
    expect((await one.host.links.get('eth0')).running).toBe(true)
  })

  it('joins subnets by a node that routes between two of them', async () => {
    const bed = new Bed()
    const left = bed.network.underlay({ name: 'left' })
    const right = bed.network.underlay({ name: 'right' })
    left.attach('node-1', { addresses: [ifAddress('10.5.1.1/24'), ifAddress('fd51::1/64')] })
    right.attach('node-2', { addresses: [ifAddress('10.5.2.1/24'), ifAddress('fd52::1/64')] })
    left.attach('router', { addresses: [ifAddress('10.5.1.254/24'), ifAddress('fd51::fe/64')] })
    right.attach('router', { addresses: [ifAddress('10.5.2.254/24'), ifAddress('fd52::fe/64')] })
    await must(bed.node('router').host, ...forwarding)
    const one = bed.node('node-1')
    await must(one.host, route('0.0.0.0/0', '10.5.1.254'), route('::/0', 'fd51::fe'))
    await must(bed.node('node-2').host, route('0.0.0.0/0', '10.5.2.254'), route('::/0', 'fd52::fe'))
    expect(await one.host.sockets.echo({ destination: ip('10.5.2.1') })).toMatchObject({
      kind: 'reply',
      ttl: 63,
    })
    expect(await one.host.sockets.echo({ destination: ip('fd52::1') })).toMatchObject({
      kind: 'reply',
      ttl: 63,
    })
    expect((await bed.node('router').host.links.list()).map(({ name }) => name)).toEqual([
      'lo',
      'eth0',
      'eth1',
    ])
  })

  it('floods frames to MAC addresses that no card has, so that pods can be bridged onto it', async () => {
    const bed = new Bed()
    const one = bed.attached(1)
    const two = bed.attached(2)
    const pod = await bed.pod(two, 'pod')
    await must(
      two.host,
      { op: 'link.add', link: { kind: 'bridge', name: 'br0', up: true } },
      { op: 'link.set', name: 'eth0', change: { bridge: 'br0' } },
      {
        op: 'link.add',
        link: {
          kind: 'veth',
          name: 'veth0',
          bridge: 'br0',
          up: true,
          peer: { name: 'eth0', netns: pod.netns },
        },
      },
    )
    await must(pod.at, ...dress('eth0', '192.168.50.77/24'))
    const outcome = await one.host.sockets.echo({ destination: ip('192.168.50.77') })
    expect(outcome.kind).toBe('reply')
  })

  it('gives the card of a namespace that ends back to the node', async () => {
    const bed = new Bed()
    const one = bed.attached(1)
    const netns = await one.kernel.netns.create('guest')
    await one.host.links.set('eth0', { netns })
    await expect(one.host.links.get('eth0')).rejects.toMatchObject({ code: 'ENODEV' })
    await one.kernel.netns.delete('guest')
    await netns[Symbol.asyncDispose]()
    expect((await one.host.links.get('eth0')).up).toBe(false)
  })

  it('forgets a node that is removed', async () => {
    const bed = new Bed()
    const one = bed.attached(1)
    bed.attached(2)
    bed.network.remove('node-2')
    expect(bed.network.nodes()).toEqual(['node-1'])
    const outcome = await one.host.sockets.echo({ destination: ip('192.168.50.2'), timeout: 5000 })
    expect(outcome).toMatchObject({ kind: 'unreachable', from: '192.168.50.1' })
    expect(() => bed.network.remove('node-2')).toThrow(RangeError)
  })

  it.each([{ loss: 2 }, { loss: -1 }, { latency: -1 }, { latency: Number.NaN }])(
    'has no quality of %o',
    (quality) => {
      const bed = new Bed()
      expect(() => bed.underlay.set(quality)).toThrow(RangeError)
    },
  )
})
