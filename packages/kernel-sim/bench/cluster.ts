import type { Operation } from '@podfabric/kernel'
import { ifAddress, ip, ipv4ToNumber, mac, parseIpv4, prefix } from '@podfabric/netaddr'
import { setU16At } from '@podfabric/wire'
import { ipv4Send, pushIpv4 } from '../src/ipv4-output.ts'
import type { NetworkNamespace } from '../src/network-namespace.ts'
import type { SimulatedNode } from '../src/node.ts'
import { simulate } from '../src/simulate.ts'
import type { Veth } from '../src/veth.ts'

/** A pod as the bench drives it: below the sockets, so that hops are measured and nothing else. */
export interface BenchPod {
  readonly node: number
  /** Signed. */
  readonly address: number
  readonly netns: NetworkNamespace
  received: number
}

const DATA = 22
const UDP = 8
const PORT = 9

const subnet = (node: number) => `10.${100 + (node >> 8)}.${node & 255}`
const underlay = (node: number) => `192.168.${node >> 8}.${node & 255}`
const vtep = (node: number) =>
  mac(
    `02:00:00:00:${(node >> 8).toString(16).padStart(2, '0')}:${(node & 255).toString(16).padStart(2, '0')}`,
  )

/** Flannel's network by hand: on each node a bridge and a vxlan link, with one neighbor, fdb entry and route per peer. */
export async function buildCluster(nodes: number, podsPerNode: number): Promise<readonly BenchPod[]> {
  const network = simulate()
  const segment = network.underlay()
  for (let n = 1; n <= nodes; n++) {
    segment.attach(`node-${n}`, { addresses: [ifAddress(`${underlay(n)}/16`)] })
  }
  const pods: BenchPod[] = []
  for (let n = 1; n <= nodes; n++) {
    const kernel = network.node(`node-${n}`)
    const host = kernel.in(kernel.netns.host)
    const setUp = await host.apply([...nodeOperations(n), ...peers(n, nodes)])
    for (const outcome of setUp) if (!outcome.ok) throw outcome.error
    for (let p = 0; p < podsPerNode; p++) {
      const netns = await kernel.netns.create(`pod-${p}`)
      const pod = kernel.in(netns)
      const address = `${subnet(n)}.${p + 2}`
      const peer = { name: 'eth0', netns, mtu: 1450 }
      await host.links.add({ kind: 'veth', name: `veth${p}`, bridge: 'cni0', up: true, mtu: 1450, peer })
      const outcomes = await pod.apply([
        { op: 'sysctl.set', name: 'net.ipv6.conf.all.disable_ipv6', value: '1' },
        { op: 'link.set', name: 'lo', change: { up: true } },
        { op: 'link.set', name: 'eth0', change: { up: true } },
        { op: 'address.add', address: { link: 'eth0', address: ifAddress(`${address}/24`) } },
        { op: 'route.add', route: { destination: prefix('0.0.0.0/0'), gateway: ip(`${subnet(n)}.1`) } },
      ])
      for (const outcome of outcomes) if (!outcome.ok) throw outcome.error
      await pod[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
      pods.push(benchPod(n, address, kernel as SimulatedNode, `veth${p}`))
    }
    await host[Symbol.asyncDispose]()
  }
  return pods
}

function nodeOperations(n: number): Operation[] {
  const local = ip(underlay(n))
  return [
    { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '1' },
    { op: 'sysctl.set', name: 'net.ipv6.conf.all.disable_ipv6', value: '1' },
    {
      op: 'link.add',
      link: {
        kind: 'vxlan',
        name: 'flannel.1',
        vni: 1,
        local,
        underlay: 'eth0',
        learning: false,
        mac: vtep(n),
        up: true,
      },
    },
    { op: 'address.add', address: { link: 'flannel.1', address: ifAddress(`${subnet(n)}.0/32`) } },
    { op: 'link.add', link: { kind: 'bridge', name: 'cni0', up: true } },
    { op: 'address.add', address: { link: 'cni0', address: ifAddress(`${subnet(n)}.1/24`) } },
  ]
}

function peers(n: number, nodes: number): Operation[] {
  const link = 'flannel.1'
  const operations: Operation[] = []
  for (let other = 1; other <= nodes; other++) {
    if (other === n) continue
    const gateway = ip(`${subnet(other)}.0`)
    operations.push(
      { op: 'neighbor.add', neighbor: { link, address: gateway, mac: vtep(other) } },
      { op: 'fdb.add', entry: { link, mac: vtep(other), destination: ip(underlay(other)) } },
      {
        op: 'route.add',
        route: { destination: prefix(`${subnet(other)}.0/24`), gateway, link, onlink: true },
      },
    )
  }
  return operations
}

function benchPod(node: number, address: string, kernel: SimulatedNode, link: string): BenchPod {
  const { peer } = kernel.host.find(link) as Veth
  if (peer === undefined) throw new Error(`${link} has no peer`)
  const pod: BenchPod = {
    node,
    address: ipv4ToNumber(parseIpv4(address)) | 0,
    netns: peer.netns,
    received: 0,
  }
  const receive = (): void => {
    pod.received++
  }
  pod.netns.udp.bind({ family: 4, address: undefined, port: PORT, uncheckedIpv6: false, receive }, 'bench')
  return pod
}

/** One datagram of 64 octets on the wire, worked off until nothing moves. */
export function sendDatagram(from: BenchPod, to: BenchPod): void {
  const { netns } = from
  const packet = netns.simulation.packet(UDP + DATA)
  const { bytes, start } = packet
  setU16At(bytes, start, 1000)
  setU16At(bytes, start + 2, PORT)
  setU16At(bytes, start + 4, UDP + DATA)
  const route = netns.ipv4.output(to.address, from.address, 0, undefined)
  if (route === undefined) throw new Error('no route')
  const { address: source } = from
  pushIpv4(netns, packet, { source, destination: to.address, protocol: 17, ttl: 64, dontFragment: false })
  ipv4Send(netns, packet, route)
  netns.simulation.queue.run()
}
