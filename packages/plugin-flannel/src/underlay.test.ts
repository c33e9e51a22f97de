import type { Namespace } from '@podfabric/kernel'
import { simulate } from '@podfabric/kernel-sim'
import { ifAddress, ip, prefix } from '@podfabric/netaddr'
import { beforeEach, describe, expect, it } from 'vitest'
import { findUnderlay, isOnLink } from './underlay.ts'

describe('the underlay', () => {
  let host: Namespace

  /** A node with one card for each address. */
  beforeEach(() => {
    const network = simulate()
    const kernel = network.node('node-1')
    const attach = (...addresses: string[]) =>
      network.underlay().attach('node-1', { addresses: addresses.map(ifAddress) })
    attach('192.168.50.1/24', 'fd50::1/64')
    attach('172.16.0.1/16')
    host = kernel.in(kernel.netns.host)
  })

  const route = (destination: string, gateway: string, metric?: number) =>
    host.routes.add({
      destination: prefix(destination),
      gateway: ip(gateway),
      ...(metric !== undefined && { metric }),
    })

  it('is the link of the default route', async () => {
    await route('0.0.0.0/0', '172.16.0.254')
    expect(await findUnderlay(host)).toEqual({ link: 'eth1', address: '172.16.0.1', mtu: 1500 })
  })

  it('is the link of the default route with the lowest metric', async () => {
    await route('0.0.0.0/0', '192.168.50.254', 100)
    await route('0.0.0.0/0', '172.16.0.254', 50)
    expect((await findUnderlay(host)).link).toBe('eth1')
  })

  it('is no guess where two links could be it; the message names both and the key', async () => {
    await expect(findUnderlay(host)).rejects.toMatchObject({
      code: 'CNI_NOT_AVAILABLE',
      message:
        'flannel: there is no default route, and eth0 and eth1 could be the underlay; set "interface" to the link between the nodes',
    })
  })

  it('is the only link with a global address where there is no default route', async () => {
    await host.links.set('eth1', { up: false })
    expect(await findUnderlay(host)).toEqual({ link: 'eth0', address: '192.168.50.1', mtu: 1500 })
  })

  it('is not the bridge of the pods, nor a tunnel', async () => {
    await host.links.set('eth1', { up: false })
    await host.links.add({ kind: 'bridge', name: 'cni0', up: true })
    await host.addresses.add({ link: 'cni0', address: ifAddress('10.244.1.1/24') })
    expect((await findUnderlay(host)).link).toBe('eth0')
    expect((await findUnderlay(host, { name: 'cni0' })).address).toBe('10.244.1.1')
  })

  it('has no address of the pods’ network, whatever link that is on', async () => {
    await expect(findUnderlay(host)).rejects.toThrow('eth0 and eth1')
    expect((await findUnderlay(host, { pods: prefix('172.16.0.0/12') })).link).toBe('eth0')
  })

  it('is the named link, with its IPv6 address where that is the only one or asked for', async () => {
    expect((await findUnderlay(host, { name: 'eth0' })).address).toBe('192.168.50.1')
    expect((await findUnderlay(host, { name: 'eth0', family: 6 })).address).toBe('fd50::1')
    await host.addresses.delete({ link: 'eth0', address: ifAddress('192.168.50.1/24') })
    expect((await findUnderlay(host, { name: 'eth0' })).address).toBe('fd50::1')
  })

  it('is nothing where the named link is missing, down, or without an address of the family', async () => {
    const refused = (name: string, family?: 4 | 6) =>
      expect(findUnderlay(host, { name, family })).rejects.toMatchObject({
        code: 'CNI_NOT_AVAILABLE',
        message: expect.stringMatching(
          new RegExp(`^flannel: link ${name} is not there, or is down, or has no global`),
        ),
      })
    await refused('ghost')
    await refused('eth1', 6)
    await refused('lo')
    await host.links.set('eth1', { up: false })
    await refused('eth1')
  })

  it('is nothing where no link has a global address', async () => {
    await host.links.set('eth0', { up: false })
    await host.links.set('eth1', { up: false })
    await expect(findUnderlay(host)).rejects.toThrow('no link of this node is up and has a global address')
  })

  it('reaches directly what no router stands before', async () => {
    const underlay = await findUnderlay(host, { name: 'eth0' })
    expect(await isOnLink(host, underlay, ip('192.168.50.2'))).toBe(true)
    expect(await isOnLink(host, underlay, ip('172.16.0.2'))).toBe(false)
    expect(await isOnLink(host, underlay, ip('192.168.50.1'))).toBe(false)
    expect(await isOnLink(host, underlay, ip('8.8.8.8'))).toBe(false)
    await route('0.0.0.0/0', '192.168.50.254')
    expect(await isOnLink(host, underlay, ip('8.8.8.8'))).toBe(false)
  })
})
