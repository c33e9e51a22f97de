import { ip, prefix } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { Bed, joined, must, routed, text } from '../test/bed.ts'

const families = [
  {
    name: 'IPv4',
    b: ip('10.2.0.1'),
    router: ip('10.1.0.254'),
    header: 20,
    lost: ip('10.77.0.1'),
    most: 1400,
  },
  { name: 'IPv6', b: ip('fd02::1'), router: ip('fd01::fe'), header: 40, lost: ip('fd77::1'), most: 1400 },
] as const

describe.each(families)(
  'a router, over $name',
  ({ name, b: destination, router: from, header, lost, most }) => {
    it('takes one off the hop limit, and answers for a packet whose is used up', async () => {
      const { a } = await routed(new Bed())
      expect(await a.at.sockets.echo({ destination })).toMatchObject({ kind: 'reply', ttl: 63 })
      expect(await a.at.sockets.echo({ destination, ttl: 1 })).toEqual({ kind: 'time-exceeded', from })
    })

    it('says how much passes where a packet must not be fragmented, and its sender remembers', async () => {
      const { a } = await routed(new Bed(), { mtu: most })
      const payload = new Uint8Array(1500 - header - 8)
      const outcome = await a.at.sockets.echo({ destination, payload, dontFragment: true })
      expect(outcome).toEqual({ kind: 'too-big', from, mtu: most })
      await expect(a.at.sockets.echo({ destination, payload, dontFragment: true })).rejects.toMatchObject({
        code: 'EMSGSIZE',
      })
      expect((await a.at.routes.lookup({ destination })).mtu).toBe(most)
    })

    it('delivers a datagram above the MTU of a link on the way', async () => {
      const { a, b } = await routed(new Bed(), { mtu: most })
      const server = await b.at.sockets.udp({ address: destination, port: 9 })
      const client = await a.at.sockets.udp({ address: name === 'IPv4' ? ip('10.1.0.1') : ip('fd01::1') })
      const data = Uint8Array.from({ length: 5000 }, (_, i) => i)
      await client.send(data, server.local)
      if (name === 'IPv6') {
        // No router cuts IPv6: the first is lost, and the sender knows better from then on.
        await client.send(data, server.local)
      }
      expect((await server.receive()).data).toEqual(data)
    })

    it('carries a TCP stream through a smaller MTU', async () => {
      const { a, b } = await routed(new Bed(), { mtu: most })
      const listener = await b.at.sockets.listen({ address: destination, port: 80 })
      const client = await a.at.sockets.connect({ address: destination, port: 80 })
      const server = await listener.accept()
      const sent = text('x'.repeat(200_000))
      const writing = client.write(sent).then(() => client.finish())
      let got = 0
      for await (const chunk of server) got += chunk.length
      await writing
      expect(got).toBe(sent.length)
      await Promise.all([client.close(), server.close(), listener.close()])
    })

    it('tells a sender that there is no route', async () => {
      const { a } = await routed(new Bed())
      expect(await a.at.sockets.echo({ destination: lost })).toMatchObject({
        kind: 'unreachable',
        from,
        code: 0,
      })
    })

    it('is silent at a blackhole, and names what dropped', async () => {
      const bed = new Bed()
      const { router, a } = await routed(bed)
      const text = name === 'IPv4' ? '10.77.0.0/16' : 'fd77::/16'
      await must(router.host, { op: 'route.add', route: { destination: prefix(text), type: 'blackhole' } })
      expect((await a.at.sockets.echo({ destination: lost, timeout: 100 })).kind).toBe('timeout')
      const end = bed.hops.find(({ reason }) => reason === 'ROUTE_BLACKHOLE')
      expect(end?.because).toEqual({ route: `blackhole ${text}`, table: 254 })
    })

    it('answers nobody where forwarding is off', async () => {
      const bed = new Bed()
      const { router, a } = await routed(bed)
      const sysctl = name === 'IPv4' ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding'
      await router.host.sysctl.set(sysctl, '0')
      expect((await a.at.sockets.echo({ destination, timeout: 100 })).kind).toBe('timeout')
      expect(bed.drops()).toContain('FORWARDING_OFF')
    })
  },
)

describe('what comes in', () => {
  it('is refused from an address of our own, unless accept_local', async () => {
    const bed = new Bed()
    const { a, b } = await joined(bed)
    await must(b.at, { op: 'address.add', address: { link: 'lo', address: '10.1.0.1/32' as never } })
    await must(b.at, { op: 'address.add', address: { link: 'eth0', address: '10.9.0.1/32' as never } })
    await must(a.at, { op: 'route.add', route: { destination: prefix('10.9.0.0/16'), link: 'eth0' } })
    expect((await a.at.sockets.echo({ destination: ip('10.9.0.1'), timeout: 5000 })).kind).not.toBe('reply')
    expect(bed.drops()).toContain('SOURCE_INVALID')
  })

  it('must have a way back by the same link where rp_filter is 1', async () => {
    const bed = new Bed()
    const { router, a } = await routed(bed)
    await must(a.at, { op: 'address.add', address: { link: 'lo', address: '10.98.0.1/32' as never } })
    await router.host.sysctl.set('net.ipv4.conf.to-a.rp_filter', '1')
    const echo = { destination: ip('10.2.0.1'), source: ip('10.98.0.1'), timeout: 100 }
    expect((await a.at.sockets.echo(echo)).kind).toBe('timeout')
    expect(bed.drops()).toContain('REVERSE_PATH')
    await router.host.sysctl.set('net.ipv4.conf.to-a.rp_filter', '0')
    await must(router.host, {
      op: 'route.add',
      route: { destination: prefix('10.98.0.1/32'), gateway: ip('10.1.0.1') },
    })
    expect((await a.at.sockets.echo(echo)).kind).toBe('reply')
  })

  it('is routed by rules: by source into a table of its own', async () => {
    const bed = new Bed()
    const { router, a, b } = await routed(bed)
    await must(
      router.host,
      { op: 'route.add', route: { destination: prefix('10.2.0.0/16'), type: 'prohibit', table: 100 } },
      {
        op: 'rule.add',
        rule: {
          family: 4,
          priority: 100,
          from: prefix('10.1.0.0/24'),
          input: 'to-a',
          action: { lookup: 100 },
        },
      },
    )
    const outcome = await a.at.sockets.echo({ destination: ip('10.2.0.1') })
    expect(outcome).toMatchObject({ kind: 'unreachable', code: 13 })
    // The answers of `a` come in by the same link, and are refused too.
    expect((await b.at.sockets.echo({ destination: ip('10.1.0.1') })).kind).toBe('timeout')
    const rule = { family: 4, priority: 100, from: prefix('10.1.0.0/24'), action: { lookup: 100 } } as const
    await router.host.rules.delete(rule)
    expect((await b.at.sockets.echo({ destination: ip('10.1.0.1') })).kind).toBe('reply')
  })
})
