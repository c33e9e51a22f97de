import type { Operation } from '@podfabric/kernel'
import { sleep } from '@podfabric/kernel'
import { ip, mac } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { Bed, bridged, codes, dress, must, text } from '../test/bed.ts'

const macOf = async (at: { links: { get(name: string): Promise<{ mac: string }> } }, link: string) =>
  (await at.links.get(link)).mac

describe('bridge', () => {
  it('floods what it has not learned, and afterwards sends it to the one port', async () => {
    const bed = new Bed()
    const { pods } = await bridged(bed, 3)
    const [one] = pods
    const destination = ip('10.1.0.2')
    expect((await one?.at.sockets.echo({ destination }))?.kind).toBe('reply')
    const chosen = bed.hops.filter(({ step }) => step === 'bridge').map(({ reason }) => reason)
    expect(chosen).toContain('BROADCAST')
    expect(chosen).toContain('FDB_HIT')
    bed.hops.length = 0
    expect((await one?.at.sockets.echo({ destination }))?.kind).toBe('reply')
    const later = bed.hops.filter(({ step }) => step === 'bridge').map(({ reason }) => reason)
    expect(later).toEqual(['FDB_HIT', 'FDB_HIT'])
  })

  it('forgets what it learned after its ageing time', async () => {
    const bed = new Bed()
    const { node, pods } = await bridged(bed, 2)
    await pods[0]?.at.sockets.echo({ destination: ip('10.1.0.2') })
    const learned = async () => (await node.host.fdb.list()).filter(({ state }) => state === 'dynamic').length
    expect(await learned()).toBe(2)
    await sleep(bed.clock, 400_000)
    expect(await learned()).toBe(0)
  })

  it('forgets what it learned on a port that goes down', async () => {
    const bed = new Bed()
    const { node, pods } = await bridged(bed, 2)
    await pods[0]?.at.sockets.echo({ destination: ip('10.1.0.2') })
    await node.host.links.set('port2', { up: false })
    const left = (await node.host.fdb.list()).filter(({ state }) => state === 'dynamic')
    expect(left.map(({ link }) => link)).toEqual(['port1'])
  })

  it('keeps isolated ports apart, but not from the others nor from itself', async () => {
    const bed = new Bed()
    const { node, pods } = await bridged(bed, 3)
    for (const name of ['port1', 'port2']) await node.host.links.set(name, { port: { isolated: true } })
    const reach = async (to: string) => {
      return (await pods[0]?.at.sockets.echo({ destination: ip(to), timeout: 500 }))?.kind
    }
    expect(await reach('10.1.0.2')).toBe('timeout')
    expect(await reach('10.1.0.3')).toBe('reply')
    expect(await reach('10.1.0.254')).toBe('reply')
    const link = 'eth0'
    const address = ip('10.1.0.2')
    const other = mac(await macOf(pods[1]?.at as never, link))
    await must(pods[0]?.at as never, { op: 'neighbor.replace', neighbor: { link, address, mac: other } })
    expect(await reach('10.1.0.2')).toBe('timeout')
    expect(bed.drops()).toContain('PORT_ISOLATED')
  })

  it('sends a frame back by the port it came in by only with hairpin', async () => {
    const bed = new Bed()
    const { node, pods } = await bridged(bed, 1)
    const [pod] = pods
    const behind = mac('02:00:00:00:00:77')
    const entry = { link: 'port1', mac: behind, state: 'static', owner: 'master' } as const
    await must(node.host, { op: 'fdb.add', entry })
    const neighbor = { link: 'eth0', address: ip('10.1.0.77'), mac: behind }
    await must(pod?.at as never, { op: 'neighbor.add', neighbor })
    const socket = await pod?.at.sockets.udp()
    const send = () => socket?.send(text('x'), { address: ip('10.1.0.77'), port: 9 })
    await send()
    expect(bed.drops()).toContain('HAIRPIN_OFF')
    await node.host.links.set('port1', { port: { hairpin: true } })
    bed.hops.length = 0
    await send()
    expect(bed.hops.filter(({ link, step }) => link === 'port1' && step === 'transmit')).toHaveLength(1)
  })

  it('has the lowest MAC address and the lowest MTU of its ports, until one is chosen', async () => {
    const bed = new Bed()
    const { host } = bed.node()
    const veth = (name: string, address: string, mtu: number): Operation => ({
      op: 'link.add',
      link: { kind: 'veth', name, mac: mac(address), mtu, bridge: 'br0', peer: { name: `${name}p` } },
    })
    await must(
      host,
      { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
      veth('v1', '02:00:00:00:00:05', 1500),
      veth('v2', '02:00:00:00:00:03', 1400),
    )
    expect(await host.links.get('br0')).toMatchObject({ mac: '02:00:00:00:00:03', mtu: 1400 })
    await host.links.delete('v2')
    expect(await host.links.get('br0')).toMatchObject({ mac: '02:00:00:00:00:05', mtu: 1500 })
    await host.links.set('br0', { mac: mac('02:00:00:00:00:aa'), mtu: 1300 })
    await must(host, veth('v3', '02:00:00:00:00:01', 1450))
    expect(await host.links.get('br0')).toMatchObject({ mac: '02:00:00:00:00:aa', mtu: 1300 })
  })

  it('takes 1023 ports, and no more', async () => {
    const bed = new Bed()
    const { host } = bed.node()
    await must(host, { op: 'link.add', link: { kind: 'bridge', name: 'br0' } })
    const add = (i: number): Operation => ({
      op: 'link.add',
      link: { kind: 'veth', name: `v${i}`, bridge: 'br0', peer: { name: `p${i}` } },
    })
    const outcomes = await codes(host, ...Array.from({ length: 1024 }, (_, i) => add(i)))
    expect(outcomes.filter((code) => code === 'ok')).toHaveLength(1023)
    expect(outcomes.at(-1)).toBe('EXFULL')
    await expect(host.links.get('v1023')).rejects.toMatchObject({ code: 'ENODEV' })
    expect((await host.links.list()).length).toBe(2 + 2 * 1023)
  })

  it('ends a storm that a loop of bridges makes', async () => {
    const bed = new Bed()
    const { host } = bed.node()
    const pod = await bed.pod(bed.node(), 'pod')
    const pair = (n: number): Operation[] => [
      {
        op: 'link.add',
        link: { kind: 'veth', name: `a${n}`, bridge: 'br0', up: true, peer: { name: `b${n}` } },
      },
      { op: 'link.set', name: `b${n}`, change: { bridge: 'br1', up: true } },
    ]
    await must(
      host,
      { op: 'sysctl.set', name: 'net.ipv6.conf.default.disable_ipv6', value: '1' },
      { op: 'link.add', link: { kind: 'bridge', name: 'br0', up: true } },
      { op: 'link.add', link: { kind: 'bridge', name: 'br1', up: true } },
      ...pair(1),
      ...pair(2),
      {
        op: 'link.add',
        link: { kind: 'veth', name: 'v0', bridge: 'br0', up: true, peer: { name: 'eth0', netns: pod.netns } },
      },
    )
    await must(pod.at, ...dress('eth0', '10.1.0.1/24'))
    expect((await pod.at.sockets.echo({ destination: ip('10.1.0.9'), timeout: 100 })).kind).toBe('timeout')
    expect(bed.drops()).toContain('LOOP')
  })
})
