import { ip, mac } from '@podfabric/netaddr'
import { overlayProtocols } from '@podfabric/overlay'
import { journeys, stages } from '@podfabric/trace'
import { dissect } from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import { Bed, codes, dress, must, overlaid, read, text } from '../test/bed.ts'

const layersOf = (bytes: Uint8Array) => {
  const { layers, errors } = dissect(bytes, { protocols: overlayProtocols })
  expect(errors).toEqual([])
  return layers.map(({ protocol }) => protocol)
}

describe('vxlan', () => {
  it("carries a pod's packet to a pod on another node in six stages, and the receiver sees the sender's own address", async () => {
    const bed = new Bed()
    const one = await overlaid(bed, 1, 2)
    const two = await overlaid(bed, 2, 1)
    const server = await two.pod.at.sockets.udp({ port: 8080 })
    const client = await one.pod.at.sockets.udp()
    await client.send(text('hello'), { address: ip('10.244.2.2'), port: 8080 })
    const datagram = await server.receive()
    expect(read(datagram.data)).toBe('hello')
    expect(datagram.from.address).toBe('10.244.1.2')
    const journey = journeys(bed.hops).find(({ hops }) => hops[0]?.step === 'send' && hops[0].layer === 'ip')
    expect(journey?.outcome).toBe('delivered')
    const boxes = journey === undefined ? [] : stages(journey)
    expect(boxes.map(({ node, netns, encapsulated }) => [node, netns, encapsulated])).toEqual([
      ['node-1', 'pod', false],
      ['node-1', '', false],
      ['node-1', '', true],
      ['node-2', '', false],
      ['node-2', '', false],
      ['node-2', 'pod', false],
    ])
    const why = journey?.hops.find(({ step, link }) => step === 'route' && link === 'cni0')
    expect(why?.because).toEqual({ route: '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', table: 254 })
  })

  it('puts outer headers around the frame that Wireshark reads: no checksum error, DF off, TTL 64, an ephemeral source port', async () => {
    const bed = new Bed()
    const one = await overlaid(bed, 1, 2)
    await overlaid(bed, 2, 1)
    const capture = await one.host.capture('eth0')
    await one.pod.at.sockets.echo({ destination: ip('10.244.2.2') })
    await capture.close()
    const frames: Uint8Array[] = []
    for await (const { bytes } of capture) frames.push(bytes)
    const tunneled = frames.filter((bytes) => layersOf(bytes).includes('vxlan'))
    expect(tunneled.length).toBeGreaterThanOrEqual(2)
    for (const bytes of tunneled) {
      expect(layersOf(bytes)).toEqual(['ethernet', 'ipv4', 'udp', 'vxlan', 'ethernet', 'ipv4', 'icmp'])
      expect(bytes[20]).toBe(0)
      expect(bytes[22]).toBe(64)
      const port = ((bytes[34] ?? 0) << 8) | (bytes[35] ?? 0)
      expect(port).toBeGreaterThanOrEqual(32_768)
      expect(port).toBeLessThanOrEqual(60_999)
    }
  })

  it('gives packets of one flow one source port, and spreads flows', async () => {
    const bed = new Bed()
    const one = await overlaid(bed, 1, 2)
    await overlaid(bed, 2, 1)
    const socket = await one.pod.at.sockets.udp()
    for (let port = 1; port <= 20; port++) {
      for (let i = 0; i < 2; i++) await socket.send(text('x'), { address: ip('10.244.2.2'), port })
    }
    const ports = new Map<number, Set<number>>()
    for (const { step, bytes } of bed.hops) {
      if (step !== 'encapsulate') continue
      const inner = ((bytes[72] ?? 0) << 8) | (bytes[73] ?? 0)
      const outer = ((bytes[20] ?? 0) << 8) | (bytes[21] ?? 0)
      ports.set(inner, (ports.get(inner) ?? new Set()).add(outer))
    }
    const ofFlows = [...ports].filter(([inner]) => inner >= 1 && inner <= 20)
    expect(ofFlows.length).toBe(20)
    for (const [, outer] of ofFlows) expect(outer.size).toBe(1)
    expect(new Set(ofFlows.map(([, outer]) => [...outer][0])).size).toBeGreaterThan(10)
  })

  it('sends nowhere without an entry, floods to all default destinations, and learns where it is told to', async () => {
    const bed = new Bed()
    const nodes = [1, 2, 3].map((n) => bed.attached(n))
    for (const [i, { host }] of nodes.entries()) {
      const local = ip(`192.168.50.${i + 1}`)
      await must(
        host,
        {
          op: 'link.add',
          link: { kind: 'vxlan', name: 'vx0', vni: 7, local, mac: mac(`02:00:00:00:01:0${i + 1}`) },
        },
        ...dress('vx0', `10.7.0.${i + 1}/24`),
      )
    }
    const [first] = nodes
    if (first === undefined) throw new Error('no node')
    expect((await first.host.sockets.echo({ destination: ip('10.7.0.3'), timeout: 100 })).kind).toBe(
      'timeout',
    )
    expect(bed.drops()).toContain('NO_TUNNEL_PEER')
    const link = 'vx0'
    const all = mac('00:00:00:00:00:00')
    for (const [i, { host }] of nodes.entries()) {
      for (let n = 1; n <= 3; n++) {
        if (n === i + 1) continue
        await must(host, { op: 'fdb.append', entry: { link, mac: all, destination: ip(`192.168.50.${n}`) } })
      }
    }
    expect((await first.host.sockets.echo({ destination: ip('10.7.0.3'), timeout: 5000 })).kind).toBe('reply')
    const learned = (await first.host.fdb.list()).find((row) => row.mac === '02:00:00:00:01:03')
    expect(learned).toMatchObject({ destination: '192.168.50.3', state: 'dynamic', owner: 'self' })
  })

  it('drops what comes for a VNI that no link has', async () => {
    const bed = new Bed()
    const one = await overlaid(bed, 1, 2)
    const two = await overlaid(bed, 2, 1)
    await two.host.links.delete('flannel.1')
    await must(two.host, { op: 'link.add', link: { kind: 'vxlan', name: 'other', vni: 9, up: true } })
    expect((await one.pod.at.sockets.echo({ destination: ip('10.244.2.2'), timeout: 100 })).kind).toBe(
      'timeout',
    )
    expect(bed.drops()).toContain('UNKNOWN_VNI')
  })

  it('keeps its port from sockets while it is up, and finds a taken one taken', async () => {
    const bed = new Bed()
    const { host } = bed.attached(1)
    await must(host, { op: 'link.add', link: { kind: 'vxlan', name: 'vx0', vni: 1, up: true } })
    await expect(host.sockets.udp({ port: 8472 })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await host.links.set('vx0', { up: false })
    await host.sockets.udp({ port: 8472 })
    expect(await codes(host, { op: 'link.set', name: 'vx0', change: { up: true } })).toEqual(['EADDRINUSE'])
  })

  it('goes on in fragments where the outer packet is too big, and tells senders of its own namespace what fits', async () => {
    const bed = new Bed()
    const one = await overlaid(bed, 1, 2)
    const two = await overlaid(bed, 2, 1)
    for (const { host } of [one, two])
      await must(host, { op: 'link.set', name: 'flannel.1', change: { mtu: 1450 } })
    bed.underlay.set({})
    for (const { host } of [one, two])
      await must(host, { op: 'link.set', name: 'eth0', change: { mtu: 1400 } })
    const payload = new Uint8Array(1420).fill(7)
    const outcome = await one.host.sockets.echo({ destination: ip('10.244.2.0'), payload })
    expect(outcome).toMatchObject({ kind: 'reply' })
    expect((await one.host.routes.lookup({ destination: ip('10.244.2.0') })).mtu).toBe(1350)
  })

  it('tunnels over IPv6', async () => {
    const bed = new Bed()
    for (const n of [1, 2]) {
      const { host } = bed.attached(n)
      const destination = ip(`fd50::${3 - n}`)
      await must(
        host,
        {
          op: 'link.add',
          link: { kind: 'vxlan', name: 'vx6', vni: 6, local: ip(`fd50::${n}`), underlay: 'eth0' },
        },
        ...dress('vx6', `10.6.0.${n}/24`),
        { op: 'fdb.append', entry: { link: 'vx6', mac: mac('00:00:00:00:00:00'), destination } },
      )
      expect((await host.links.get('vx6')).mtu).toBe(1430)
    }
    const outcome = await bed.node('node-1').host.sockets.echo({ destination: ip('10.6.0.2'), timeout: 5000 })
    expect(outcome.kind).toBe('reply')
  })
})
