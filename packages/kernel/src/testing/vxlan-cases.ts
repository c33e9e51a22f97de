import assert from 'node:assert/strict'
import { ip, mac, prefix } from '@podfabric/netaddr'
import {
  type Bed,
  bytes,
  type CaseBody,
  dress,
  must,
  type Node,
  type Place,
  ping,
  route,
  textOf,
} from './bed.ts'
import { nth } from './topology.ts'

/** What one node of the overlay has: its pods' subnet 10.244.`n`.0/24, its endpoint's address, its MAC. */
const site = (n: number) => ({
  subnet: prefix(`10.244.${n}.0/24`),
  endpoint: ip(`10.244.${n}.0`),
  gateway: `10.244.${n}.1`,
  pod: ip(`10.244.${n}.2`),
  mac: mac(`02:00:00:00:00:0${n}`),
  underlay: ip(`192.168.50.${n}`),
})

/** A vxlan link without learning; for the other node a permanent neighbor, a permanent entry and an onlink route. */
async function overlaid(bed: Bed, node: Node, n: number, peer: number): Promise<Place> {
  const own = site(n)
  const other = site(peer)
  const pod = await bed.namespace(node, `pod${n}`)
  await must(
    node.at,
    { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '1' },
    {
      op: 'link.add',
      link: {
        kind: 'vxlan',
        name: 'flannel.1',
        vni: 1,
        udpPort: 8472,
        local: own.underlay,
        underlay: 'eth0',
        learning: false,
        mac: own.mac,
      },
    },
    ...dress('flannel.1', `${own.endpoint}/32`),
    { op: 'neighbor.replace', neighbor: { link: 'flannel.1', address: other.endpoint, mac: other.mac } },
    { op: 'fdb.replace', entry: { link: 'flannel.1', mac: other.mac, destination: other.underlay } },
    {
      op: 'route.replace',
      route: { destination: other.subnet, gateway: other.endpoint, link: 'flannel.1', onlink: true },
    },
    {
      op: 'link.add',
      link: { kind: 'veth', name: 'veth0', peer: { name: 'eth0', netns: pod.netns, mtu: 1450 } },
    },
    ...dress('veth0', `${own.gateway}/24`),
  )
  await must(pod.at, ...dress('lo'), ...dress('eth0', `${own.pod}/24`), route('0.0.0.0/0', own.gateway))
  return pod
}

async function overlay(
  bed: Bed,
): Promise<{ readonly nodes: readonly Node[]; readonly one: Place; readonly two: Place }> {
  const nodes = await bed.nodes(2)
  const one = await overlaid(bed, nth(nodes, 0), 1, 2)
  const two = await overlaid(bed, nth(nodes, 1), 2, 1)
  return { nodes, one, two }
}

export const vxlanCases: readonly CaseBody[] = [
  {
    name: 'nodes reach each other on the underlay, over IPv4 and IPv6',
    async run(bed) {
      const nodes = await bed.nodes(3)
      for (const text of ['192.168.50.3', 'fd50::3']) {
        assert.equal((await ping(nth(nodes, 0), text)).kind, 'reply')
      }
    },
  },
  {
    name: "a packet from a pod on one node reaches a pod on another through vxlan, with the sender's own address",
    async run(bed) {
      const { one, two } = await overlay(bed)
      const server = bed.keep(await two.at.sockets.udp({ address: site(2).pod, port: 80 }))
      const client = bed.keep(await one.at.sockets.udp({ address: site(1).pod }))
      await client.send(bytes('through the tunnel'), server.local)
      const got = await bed.within('the datagram', (signal) => server.receive({ signal }))
      assert.equal(textOf(got.data), 'through the tunnel')
      assert.deepEqual(got.from, client.local)
      const outcome = await ping(one, site(2).pod)
      assert(outcome.kind === 'reply')
      assert.equal(outcome.ttl, 62)
    },
  },
  {
    name: 'on the underlay it is UDP from node to node with the network identifier, around the whole inner frame',
    async run(bed) {
      const { nodes, one, two } = await overlay(bed)
      const capture = bed.keep(await nth(nodes, 1).at.capture('eth0'))
      const server = bed.keep(await two.at.sockets.udp({ address: site(2).pod, port: 80 }))
      const client = bed.keep(await one.at.sockets.udp({ address: site(1).pod }))
      await client.send(bytes('inside'), server.local)
      await bed.within('the datagram', (signal) => server.receive({ signal }))
      const outer = await bed.within('the outer packet', async (signal) => {
        signal.addEventListener('abort', () => void capture.close())
        for await (const frame of capture) if (isUdpTo(frame.bytes, 8472)) return frame
        throw signal.reason
      })
      assert.equal(outer.direction, 'in')
      const { bytes: frame } = outer
      assert.deepEqual([...frame.subarray(26, 34)], [192, 168, 50, 1, 192, 168, 50, 2])
      assert.deepEqual([...frame.subarray(42, 50)], [0x08, 0, 0, 0, 0, 0, 1, 0])
      const inner = frame.subarray(50)
      assert.deepEqual([...inner.subarray(0, 12)], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
      assert.equal(textOf(inner.subarray(42)), 'inside')
    },
  },
  {
    name: 'a packet too big for the tunnel comes back from the node with the MTU inside',
    async run(bed) {
      const { nodes, one } = await overlay(bed)
      await one.at.links.set('eth0', { mtu: 1500 })
      await nth(nodes, 0).at.links.set('veth0', { mtu: 1500 })
      const payload = new Uint8Array(1472)
      const outcome = await ping(one, site(2).pod, { payload, dontFragment: true })
      assert.deepEqual(outcome, { kind: 'too-big', from: '10.244.1.1', mtu: 1450 })
    },
  },
  {
    name: 'a TCP stream goes through the tunnel',
    async run(bed) {
      const { one, two } = await overlay(bed)
      const listener = bed.keep(await two.at.sockets.listen({ address: site(2).pod, port: 80 }))
      const client = bed.keep(await one.at.sockets.connect(listener.local))
      const server = bed.keep(await bed.within('the connection', (signal) => listener.accept({ signal })))
      const sent = new Uint8Array(50_000).fill(7)
      const writing = client.write(sent).then(() => client.finish())
      let got = 0
      await bed.within('all octets', async (signal) => {
        for (
          let part = await server.read({ signal });
          part !== undefined;
          part = await server.read({ signal })
        ) {
          got += part.length
        }
      })
      await writing
      assert.equal(got, sent.length)
    },
  },
  {
    name: 'a vxlan link without an entry for the MAC and without learning sends nothing',
    async run(bed) {
      const { nodes, one } = await overlay(bed)
      await nth(nodes, 0).at.fdb.delete({ link: 'flannel.1', mac: site(2).mac })
      const outcome = await ping(one, site(2).pod, { timeout: 300 })
      assert.equal(outcome.kind, 'timeout')
    },
  },
  {
    name: 'a vxlan link that learns finds its peer by flooding, and remembers where it is',
    async run(bed) {
      const nodes = await bed.nodes(2)
      for (const [i, node] of nodes.entries()) {
        const own = i + 1
        const peer = 2 - i
        await must(
          node.at,
          {
            op: 'link.add',
            link: { kind: 'vxlan', name: 'vx0', vni: 9, local: ip(`192.168.50.${own}`), underlay: 'eth0' },
          },
          ...dress('vx0', `10.5.0.${own}/24`),
          {
            op: 'fdb.append',
            entry: { link: 'vx0', mac: mac('00:00:00:00:00:00'), destination: ip(`192.168.50.${peer}`) },
          },
        )
      }
      assert.equal((await ping(nth(nodes, 0), '10.5.0.2')).kind, 'reply')
      const far = (await nth(nodes, 1).at.links.get('vx0')).mac
      const row = (await nth(nodes, 0).at.fdb.list()).find((one) => one.mac === far)
      assert.deepEqual([row?.destination, row?.state, row?.owner], ['192.168.50.2', 'dynamic', 'self'])
    },
  },
]

/** Whether the frame is IPv4 without options, UDP, to this port. */
function isUdpTo(frame: Uint8Array, port: number): boolean {
  const at = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  return frame.length >= 42 && at.getUint16(12) === 0x0800 && frame[23] === 17 && at.getUint16(36) === port
}
