import { type TestNode, testKernels, within } from '@podfabric/conformance/testing'
import { ip } from '@podfabric/netaddr'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  clientAddress,
  gateway,
  listWith,
  nodeAddress,
  type PortmapNode,
  portmapNode,
  publishing,
  reached,
} from './node.fixture.ts'

const families = ['ip', 'ip6'] as const
const protocols = ['tcp', 'udp'] as const
const both = protocols.flatMap((protocol) => families.map((family) => [protocol, family] as const))

describe.each(testKernels)('published ports on $name', ({ skip, make }) => {
  let made: TestNode
  let node: PortmapNode
  beforeEach(async () => {
    if (skip) return
    made = await make()
    node = await portmapNode(made)
  })
  afterEach(async () => {
    if (!skip) await made.close()
  })

  const mapping = (protocol: string, more: object = {}) => ({
    hostPort: 8080,
    containerPort: 80,
    protocol,
    ...more,
  })

  it.skipIf(skip).each(both)(
    'reach the container over %s, %s, from everywhere, with the real client where answers find back',
    async (protocol, family) => {
      const [one, two] = [await node.container('one'), await node.container('two')]
      await node.runtime().add(listWith(), publishing(one, mapping('tcp'), mapping('udp')))
      const from = (place: string, to = nodeAddress[family]) =>
        reached(node.kernel, { from: place, to, port: 8080, server: one.netns, protocol })
      const own = one.address[family]
      expect({
        client: await from(node.client),
        node: await from(''),
        localhost: family === 'ip' ? await from('', ip('127.0.0.1')) : undefined,
        container: await from(two.netns),
        throughTheGateway: await from(two.netns, gateway[family]),
        itself: await from(one.netns),
      }).toEqual({
        client: `${own} saw ${clientAddress[family]}`,
        node: `${own} saw ${nodeAddress[family]}`,
        localhost: family === 'ip' ? `${own} saw ${gateway.ip}` : undefined,
        container: `${own} saw ${gateway[family]}`,
        throughTheGateway: `${own} saw ${gateway[family]}`,
        itself: `${own} saw ${gateway[family]}`,
      })
    },
  )

  it.skipIf(skip)('leave what is on the way to somebody else alone, and other protocols', async () => {
    const [one, two] = [await node.container('one'), await node.container('two')]
    await node.runtime().add(listWith(), publishing(one, mapping('tcp')))
    // To the client’s own port, through the node.
    expect(
      await reached(node.kernel, {
        from: two.netns,
        to: clientAddress.ip,
        port: 8080,
        server: node.client,
        serverPort: 8080,
      }),
    ).toBe('nobody')
    await within(node.kernel, node.client, async ({ routes }) => {
      await routes.add({ destination: '10.88.0.0/24' as never, gateway: nodeAddress.ip })
    })
    const way = { from: two.netns, to: clientAddress.ip, port: 8080, server: node.client, serverPort: 8080 }
    expect(await reached(node.kernel, way)).toBe(`${clientAddress.ip} saw ${two.address.ip}`)
    const udp = { from: node.client, to: nodeAddress.ip, port: 8080, server: one.netns, protocol: 'udp' }
    expect(await reached(node.kernel, { ...udp, protocol: 'udp' })).toBe('nobody')
  })

  it.skipIf(skip)('are those of one address where the mapping names it', async () => {
    const [one, two] = [await node.container('one'), await node.container('two')]
    const runtime = node.runtime()
    await runtime.add(listWith(), publishing(one, mapping('tcp', { hostIP: '192.0.2.1' })))
    await runtime.add(
      listWith(),
      publishing(two, mapping('tcp', { hostIP: '127.0.0.1' }), mapping('tcp', { hostIP: '2001:db8::1' })),
    )
    const way = { from: node.client, port: 8080 }
    const { ip: at4, ip6: at6 } = nodeAddress
    expect(await reached(node.kernel, { ...way, to: at4, server: one.netns })).toContain('10.88.0.2 saw')
    expect(await reached(node.kernel, { ...way, to: at6, server: one.netns })).toBe('nobody')
    expect(await reached(node.kernel, { ...way, to: at6, server: two.netns })).toContain('fd88::3 saw')
    const local = { from: '', port: 8080, to: ip('127.0.0.1') }
    expect(await reached(node.kernel, { ...local, server: two.netns })).toBe('10.88.0.3 saw 10.88.0.1')
    // From a container to another one, by the address that this one has published.
    expect(await reached(node.kernel, { from: two.netns, port: 8080, to: at4, server: one.netns })).toBe(
      '10.88.0.2 saw 10.88.0.1',
    )
    await runtime.check(listWith(), publishing(one))
    await runtime.del(listWith(), publishing(one))
    await runtime.check(listWith(), publishing(two))
    expect(await reached(node.kernel, { ...way, to: at4, server: one.netns })).toBe('nobody')
    expect(await reached(node.kernel, { ...way, to: at6, server: two.netns })).toContain('fd88::3 saw')
  })

  it.skipIf(skip)('show everybody as the node with masqAll, and nobody without snat', async () => {
    const [all, none] = [await node.container('all'), await node.container('none')]
    const runtime = node.runtime()
    await runtime.add(listWith({ masqAll: true, markMasqBit: 9 }, 'a'), publishing(all, mapping('tcp')))
    await runtime.add(listWith({ snat: false }, 'b'), publishing(none, { ...mapping('tcp'), hostPort: 8081 }))
    const from = (place: string, server: string, port: number, to = nodeAddress.ip) =>
      reached(node.kernel, { from: place, to, port, server })
    expect(await from(node.client, all.netns, 8080)).toBe('10.88.0.2 saw 10.88.0.1')
    expect(await from(node.client, none.netns, 8081)).toBe(`10.88.0.3 saw ${clientAddress.ip}`)
    expect(await from('', none.netns, 8081, ip('127.0.0.1'))).toBe('nobody')
  })

  it.skipIf(skip)('never let others in to the node’s localhost', async () => {
    const one = await node.container('one')
    await within(node.kernel, one.netns, async ({ links, addresses, routes, sysctl }) => {
      // A container that sends to 127.0.0.2 what should never leave it.
      await routes.add({ destination: '127.0.0.2/32' as never, gateway: gateway.ip })
      await sysctl.set('net.ipv4.conf.all.route_localnet', '1')
      await links.set('lo', { up: false })
      expect((await addresses.list()).length).toBeGreaterThan(0)
    })
    await node.runtime().add(listWith(), publishing(one, mapping('tcp')))
    const way = { from: one.netns, to: ip('127.0.0.2'), port: 7777, server: '', serverPort: 7777 }
    expect(await reached(node.kernel, way)).toBe('nobody')
  })

  it.skipIf(skip)('take over UDP clients that spoke before, and let go of them', async () => {
    const one = await node.container('one')
    const runtime = node.runtime()
    await within(node.kernel, node.client, async ({ sockets }) => {
      const sender = await sockets.udp({ address: ip('0.0.0.0') })
      const to = { address: nodeAddress.ip, port: 8080 }
      const flows = () =>
        within(node.kernel, '', ({ conntrack }) =>
          conntrack.list({ protocol: 'udp', original: { destinationPort: 8080 } }),
        )
      // Followed, since somebody listens on the node itself, and the tables of another network are there.
      await runtime.add(
        listWith({}, 'other'),
        publishing(await node.container('x'), { ...mapping('tcp'), hostPort: 1 }),
      )
      await within(node.kernel, '', async (host) => {
        const before = await host.sockets.udp({ address: ip('0.0.0.0'), port: 8080 })
        await sender.send(new Uint8Array([1]), to)
        await before.receive({ signal: AbortSignal.timeout(5000) })
        await before.close()
      })
      expect((await flows()).map(({ reply }) => reply.source)).toEqual([nodeAddress.ip])
      await runtime.add(listWith(), publishing(one, mapping('udp')))
      expect(await flows()).toEqual([])
      await within(node.kernel, one.netns, async (at) => {
        const receiver = await at.sockets.udp({ address: ip('0.0.0.0'), port: 80 })
        await sender.send(new Uint8Array([2]), to)
        const { from } = await receiver.receive({ signal: AbortSignal.timeout(5000) })
        expect(from.address).toBe(clientAddress.ip)
        await receiver.close()
      })
      expect((await flows()).map(({ reply }) => reply.source)).toEqual([one.address.ip])
      await runtime.del(listWith(), publishing(one))
      expect(await flows()).toEqual([])
      await sender.close()
    })
  })
})
