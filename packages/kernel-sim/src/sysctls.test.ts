import { sleep } from '@podfabric/kernel'
import { describe, expect, it } from 'vitest'
import { Bed, must, routed } from '../test/bed.ts'

describe('sysctls', () => {
  it('of one link are written with slashes where its name has dots', async () => {
    const { host } = new Bed().node()
    await must(host, { op: 'link.add', link: { kind: 'bridge', name: 'flannel.1' } })
    await host.sysctl.set('net.ipv4.conf.flannel/1.rp_filter', '2')
    expect(await host.sysctl.get('net.ipv4.conf.flannel/1.rp_filter')).toBe('2')
    expect(await host.sysctl.get('net/ipv4/conf/flannel.1/rp_filter')).toBe('2')
    await expect(host.sysctl.get('net.ipv4.conf.flannel.1.rp_filter')).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })

  it('of all links set forwarding for each, and for links to come; defaults are for links to come', async () => {
    const { host } = new Bed().node()
    await must(host, { op: 'link.add', link: { kind: 'bridge', name: 'br0' } })
    await host.sysctl.set('net.ipv4.ip_forward', '1')
    await host.sysctl.set('net.ipv4.conf.default.rp_filter', '1')
    await must(host, { op: 'link.add', link: { kind: 'bridge', name: 'br1' } })
    const get = (name: string) => host.sysctl.get(`net.ipv4.conf.${name}`)
    expect(
      await Promise.all(
        ['all.forwarding', 'default.forwarding', 'br0.forwarding', 'br1.forwarding'].map(get),
      ),
    ).toEqual(['1', '1', '1', '1'])
    expect(await Promise.all(['br0.rp_filter', 'br1.rp_filter', 'all.rp_filter'].map(get))).toEqual([
      '0',
      '1',
      '0',
    ])
  })

  it.each([
    ['net.ipv4.ip_forward', 'yes'],
    ['net.ipv4.ip_local_port_range', '1000'],
    ['net.ipv4.ip_local_port_range', '2000 1000'],
    ['net.ipv4.ip_default_ttl', '0'],
  ])('%s cannot be %j', async (name, value) => {
    const { host } = new Bed().node()
    await expect(host.sysctl.set(name, value)).rejects.toMatchObject({ code: 'EINVAL' })
  })

  it('choose the ports given to those who ask for none, and the TTL of answers', async () => {
    const bed = new Bed()
    const { router, a } = await routed(bed)
    await a.at.sysctl.set('net.ipv4.ip_local_port_range', '5000 5001')
    const ports = [await a.at.sockets.udp(), await a.at.sockets.udp()].map(({ local }) => local.port).sort()
    expect(ports).toEqual([5000, 5001])
    await expect(a.at.sockets.udp()).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await router.host.sysctl.set('net.ipv4.ip_default_ttl', '99')
    const outcome = await a.at.sockets.echo({ destination: '10.1.0.254' as never })
    expect(outcome).toMatchObject({ kind: 'reply', ttl: 99 })
  })

  it('switch IPv6 off on a link, with all it had, and on again', async () => {
    const bed = new Bed()
    const { a } = await routed(bed)
    await sleep(bed.clock, 3000)
    const of6 = async () =>
      (await a.at.addresses.list()).filter((row) => row.address.includes(':') && row.link === 'eth0')
    expect((await of6()).length).toBe(2)
    await a.at.sysctl.set('net.ipv6.conf.eth0.disable_ipv6', '1')
    expect(await of6()).toEqual([])
    const left = (await a.at.routes.list()).filter(
      (row) => row.link === 'eth0' && row.destination.includes(':'),
    )
    expect(left).toEqual([])
    await a.at.sysctl.set('net.ipv6.conf.eth0.disable_ipv6', '0')
    await sleep(bed.clock, 3000)
    expect((await of6()).map(({ scope }) => scope)).toEqual(['link'])
  })

  it('give a router the anycast address of each network, while it is one', async () => {
    const { router } = await routed(new Bed())
    const anycast = async () =>
      (await router.host.routes.list()).filter(({ type }) => type === 'anycast').map((row) => row.destination)
    expect(await anycast()).toContain('fd01::/128')
    await router.host.sysctl.set('net.ipv6.conf.all.forwarding', '0')
    expect(await anycast()).toEqual([])
  })
})
