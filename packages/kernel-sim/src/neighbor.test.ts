import { sleep } from '@podfabric/kernel'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { Bed, dress, forwarding, joined, must, route, text } from '../test/bed.ts'

describe('neighbors', () => {
  it('are asked for three times, a second apart; what waits is then undeliverable', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    const before = bed.clock.now()
    const outcome = await a.at.sockets.echo({ destination: ip('10.1.0.77'), timeout: 10_000 })
    expect(outcome).toEqual({ kind: 'unreachable', from: '10.1.0.1', code: 1 })
    expect(bed.clock.now() - before).toBe(3000)
    const asked = bed.hops.filter(({ step, link, bytes }) => {
      return step === 'transmit' && link === 'eth0' && bytes[12] === 8 && bytes[13] === 6
    })
    expect(asked.map(({ at }) => at - before)).toEqual([0, 1000, 2000])
    expect(bed.drops()).toContain('NEIGHBOR_FAILED')
  })

  it('let packets wait in order, the oldest giving way', async () => {
    const bed = new Bed()
    const { a, b } = await joined(bed)
    await b.at.links.set('eth0', { up: false })
    await a.at.links.set('eth0', { up: true })
    await b.at.links.set('eth0', { up: true })
    const server = await b.at.sockets.udp({ address: ip('10.1.0.2'), port: 9 })
    const client = await a.at.sockets.udp()
    await must(b.at, { op: 'sysctl.set', name: 'net.ipv4.conf.all.arp_ignore', value: '0' })
    const held = bed.clock.hold()
    for (let i = 0; i < 5; i++) await client.send(Uint8Array.of(i), server.local)
    held[Symbol.dispose]()
    for (let i = 0; i < 5; i++) expect((await server.receive()).data[0]).toBe(i)
  })

  it('grow stale, are probed when used, and are reachable again', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    const address = ip('10.1.0.2')
    const state = async () => (await a.at.neighbors.list()).find((row) => row.address === address)?.state
    await a.at.sockets.echo({ destination: address })
    expect(await state()).toBe('reachable')
    await sleep(bed.clock, 31_000)
    expect(await state()).toBe('stale')
    await a.at.sockets.echo({ destination: address })
    expect(await state()).toBe('delay')
    await sleep(bed.clock, 6000)
    expect(await state()).toBe('reachable')
  })

  it('that are gone are found out by the probe', async () => {
    const bed = new Bed()
    const { a, b } = await joined(bed)
    const destination = ip('10.1.0.2')
    await a.at.sockets.echo({ destination })
    await sleep(bed.clock, 31_000)
    await b.at.addresses.delete({ link: 'eth0', address: ifAddress('10.1.0.2/24') })
    await a.at.sockets.echo({ destination, timeout: 100 })
    await sleep(bed.clock, 9000)
    expect((await a.at.neighbors.list()).find((row) => row.address === destination)?.state).toBe('failed')
  })

  it.each([
    { asked: '10.1.0.50', family: 4, network: '10.1.0.50/32', back: '10.1.0.1/32' },
    { asked: 'fd01::50', family: 6, network: 'fd01::50/128', back: 'fd01::1/128' },
  ])('are answered for by a proxy entry on a router: $asked', async ({ asked, family, network }) => {
    const bed = new Bed()
    const { node, a } = await joined(bed)
    const pod = await bed.pod(node, 'behind')
    const router = await bed.pod(node, 'router')
    await must(router.at, ...forwarding, {
      op: 'sysctl.set',
      name: 'net.ipv6.conf.all.proxy_ndp',
      value: '1',
    })
    await must(
      node.host,
      { op: 'link.add', link: { kind: 'veth', name: 'x', peer: { name: 'inside', netns: router.netns } } },
      { op: 'link.set', name: 'x', change: { netns: pod.netns, name: 'eth0' } },
    )
    await must(a.at, {
      op: 'link.add',
      link: { kind: 'veth', name: 'up', peer: { name: 'front', netns: router.netns } },
    })
    await must(a.at, ...dress('up'), {
      op: 'route.add',
      route: { destination: prefix(network), link: 'up', source: ip(family === 4 ? '10.1.0.1' : 'fd01::1') },
    })
    const front = family === 4 ? '10.1.0.253/32' : 'fd01::fd/128'
    await must(
      router.at,
      ...dress('front', front),
      ...dress('inside', family === 4 ? '10.66.0.1/24' : 'fd66::1/64'),
      {
        op: 'neighbor.add',
        neighbor: { link: 'front', address: ip(asked), proxy: true },
      },
    )
    await must(
      router.at,
      { op: 'route.add', route: { destination: prefix(network), link: 'inside' } },
      {
        op: 'route.add',
        route: { destination: prefix(family === 4 ? '10.1.0.1/32' : 'fd01::1/128'), link: 'front' },
      },
    )
    await must(pod.at, ...dress('eth0', network), {
      op: 'route.add',
      route: { destination: prefix(family === 4 ? '10.66.0.1/32' : 'fd66::1/128'), link: 'eth0' },
    })
    await must(pod.at, route(family === 4 ? '0.0.0.0/0' : '::/0', family === 4 ? '10.66.0.1' : 'fd66::1'))
    const outcome = await a.at.sockets.echo({ destination: ip(asked), timeout: 5000 })
    expect(outcome.kind).toBe('reply')
    const seen = (await a.at.neighbors.list()).find((row) => row.address === asked)
    expect(seen?.mac).toBe((await router.at.links.get('front')).mac)
  })

  it("are forgotten when the link's own MAC address changes, permanent ones too", async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    const neighbor = { link: 'eth0', address: ip('10.1.0.9'), mac: mac('02:00:00:00:00:09') }
    await must(a.at, { op: 'neighbor.add', neighbor })
    await a.at.links.set('eth0', { mac: mac('02:00:00:00:00:aa') })
    expect(await a.at.neighbors.list()).toEqual([])
  })
})

describe('duplicate address detection', () => {
  it('keeps an address tentative for a while, and then it is usable', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    await must(a.at, { op: 'address.add', address: { link: 'eth0', address: ifAddress('fd01::77/64') } })
    const find = async () => (await a.at.addresses.list()).find(({ address }) => address === 'fd01::77/64')
    expect((await find())?.tentative).toBe(true)
    await expect(a.at.sockets.udp({ address: ip('fd01::77') })).rejects.toMatchObject({
      code: 'EADDRNOTAVAIL',
    })
    await sleep(bed.clock, 2000)
    expect((await find())?.tentative).toBeUndefined()
    await a.at.sockets.udp({ address: ip('fd01::77') })
  })

  it('leaves an address tentative for good where somebody else has it', async () => {
    const bed = new Bed()
    const { a } = await joined(bed)
    await must(a.at, { op: 'address.add', address: { link: 'eth0', address: ifAddress('fd01::2/64') } })
    await sleep(bed.clock, 10_000)
    const row = (await a.at.addresses.list()).find(({ address }) => address === 'fd01::2/64')
    expect(row?.tentative).toBe(true)
  })

  it('gives every link that runs a link-local address from its MAC address', async () => {
    const bed = new Bed()
    const { node } = await joined(bed)
    const netns = await node.kernel.netns.create('c')
    const at = node.kernel.in(netns)
    await must(at, ...dress('lo'), {
      op: 'link.add',
      link: { kind: 'veth', name: 'v0', mac: mac('02:00:00:00:00:01'), up: true, peer: { name: 'v1' } },
    })
    expect((await at.addresses.list()).filter(({ link }) => link === 'v0')).toEqual([])
    await at.links.set('v1', { up: true })
    await sleep(bed.clock, 2000)
    const own = (await at.addresses.list()).find(({ link }) => link === 'v0')
    expect(own).toEqual({ link: 'v0', address: 'fe80::ff:fe00:1/64', scope: 'link' })
    const socket = await at.sockets.udp({ address: ip('fe80::ff:fe00:1') })
    await socket.send(text('x'), { address: ip('fe80::ff:fe00:1'), port: socket.local.port })
    expect((await socket.receive()).from.address).toBe('fe80::ff:fe00:1')
  })
})
