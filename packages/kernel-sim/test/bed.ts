import type { Kernel, Namespace, Netns, Operation } from '@podfabric/kernel'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import type { Hop } from '@podfabric/trace'
import { type Network, type SimulateOptions, simulate, type Underlay } from '../src/index.ts'

/** Applies all operations and throws the first error. */
export async function must(namespace: Namespace, ...operations: readonly Operation[]): Promise<void> {
  for (const outcome of await namespace.apply(operations)) if (!outcome.ok) throw outcome.error
}

/** The codes of the outcomes, `ok` for those that were applied. */
export async function codes(namespace: Namespace, ...operations: readonly Operation[]): Promise<string[]> {
  return (await namespace.apply(operations)).map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))
}

/** Sets a link up and gives it addresses, usable at once. */
export function dress(link: string, ...addresses: readonly string[]): Operation[] {
  return [
    { op: 'link.set', name: link, change: { up: true } },
    ...addresses.map((text): Operation => {
      return { op: 'address.add', address: { link, address: ifAddress(text), noDad: true } }
    }),
  ]
}

export function route(destination: string, gateway: string, link?: string): Operation {
  const row = { destination: prefix(destination), gateway: ip(gateway) }
  return { op: 'route.add', route: link === undefined ? row : { ...row, link } }
}

export const forwarding: readonly Operation[] = [
  { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '1' },
  { op: 'sysctl.set', name: 'net.ipv6.conf.all.forwarding', value: '1' },
]

export interface Node {
  readonly kernel: Kernel
  readonly host: Namespace
}

export interface Pod {
  readonly netns: Netns
  readonly at: Namespace
}

/** A network under test, and every hop in it. */
export class Bed {
  readonly network: Network
  readonly hops: Hop[] = []
  #underlay: Underlay | undefined

  constructor(options: SimulateOptions = {}) {
    this.network = simulate(options)
    this.network.on('hop', (hop) => this.hops.push(hop))
  }

  get clock() {
    return this.network.clock
  }

  get underlay(): Underlay {
    this.#underlay ??= this.network.underlay()
    return this.#underlay
  }

  /** A node without a network card. */
  node(name = 'node-1'): Node {
    const kernel = this.network.node(name)
    return { kernel, host: kernel.in(kernel.netns.host) }
  }

  /** Node `n` on the underlay at 192.168.50.n and fd50::n. */
  attached(n: number, underlay: Underlay = this.underlay): Node {
    const name = `node-${n}`
    underlay.attach(name, { addresses: [ifAddress(`192.168.50.${n}/24`), ifAddress(`fd50::${n}/64`)] })
    return this.node(name)
  }

  async pod({ kernel }: Node, name: string): Promise<Pod> {
    const netns = await kernel.netns.create(name)
    const at = kernel.in(netns)
    await must(at, ...dress('lo'))
    return { netns, at }
  }

  /** Drops so far, by reason. */
  drops(): string[] {
    return this.hops.filter(({ step }) => step === 'drop').map(({ reason }) => reason)
  }
}

/** Two namespaces joined by a veth pair: 10.1.0.1 and 10.1.0.2, fd01::1 and fd01::2. */
export async function joined(bed: Bed): Promise<{ readonly node: Node; readonly a: Pod; readonly b: Pod }> {
  const node = bed.node()
  const a = await bed.pod(node, 'a')
  const b = await bed.pod(node, 'b')
  await must(
    a.at,
    { op: 'link.add', link: { kind: 'veth', name: 'eth0', peer: { name: 'eth0', netns: b.netns } } },
    ...dress('eth0', '10.1.0.1/24', 'fd01::1/64'),
  )
  await must(b.at, ...dress('eth0', '10.1.0.2/24', 'fd01::2/64'))
  return { node, a, b }
}

/** `a` (10.1.0.1, fd01::1), the node as router, and `b` (10.2.0.1, fd02::1) behind a link of `mtu` octets. */
export async function routed(
  bed: Bed,
  { mtu = 1500 }: { readonly mtu?: number } = {},
): Promise<{ readonly router: Node; readonly a: Pod; readonly b: Pod }> {
  const router = bed.node()
  const a = await bed.pod(router, 'a')
  const b = await bed.pod(router, 'b')
  await must(
    router.host,
    ...forwarding,
    { op: 'link.add', link: { kind: 'veth', name: 'to-a', peer: { name: 'eth0', netns: a.netns } } },
    {
      op: 'link.add',
      link: { kind: 'veth', name: 'to-b', mtu, peer: { name: 'eth0', netns: b.netns, mtu } },
    },
    ...dress('to-a', '10.1.0.254/24', 'fd01::fe/64'),
    ...dress('to-b', '10.2.0.254/24', 'fd02::fe/64'),
  )
  await must(a.at, ...dress('eth0', '10.1.0.1/24', 'fd01::1/64'), ...defaults(1))
  await must(b.at, ...dress('eth0', '10.2.0.1/24', 'fd02::1/64'), ...defaults(2))
  return { router, a, b }
}

function defaults(n: number): Operation[] {
  return [route('0.0.0.0/0', `10.${n}.0.254`), route('::/0', `fd0${n}::fe`)]
}

/** Pods 10.1.0.`i` on the bridge br0 of a node, at its ports port`i`. The bridge is 10.1.0.254. */
export async function bridged(
  bed: Bed,
  count: number,
): Promise<{ readonly node: Node; readonly pods: readonly Pod[] }> {
  const node = bed.node()
  await must(
    node.host,
    { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
    ...dress('br0', '10.1.0.254/24'),
  )
  const pods: Pod[] = []
  for (let i = 1; i <= count; i++) {
    const pod = await bed.pod(node, `pod${i}`)
    const peer = { name: 'eth0', netns: pod.netns }
    await must(node.host, {
      op: 'link.add',
      link: { kind: 'veth', name: `port${i}`, bridge: 'br0', up: true, peer },
    })
    await must(pod.at, ...dress('eth0', `10.1.0.${i}/24`))
    pods.push(pod)
  }
  return { node, pods }
}

/** A node of a Flannel network: its pod 10.244.n.2 on a bridge, its endpoint 10.244.n.0 on flannel.1. */
export async function overlaid(bed: Bed, n: number, peer: number): Promise<Node & { readonly pod: Pod }> {
  const node = bed.attached(n)
  const pod = await bed.pod(node, 'pod')
  const link = 'flannel.1'
  const vtep = (i: number) => mac(`02:00:00:00:00:0${i}`)
  const gateway = ip(`10.244.${peer}.0`)
  const destination = prefix(`10.244.${peer}.0/24`)
  const local = ip(`192.168.50.${n}`)
  await must(
    node.host,
    ...forwarding,
    {
      op: 'link.add',
      link: { kind: 'vxlan', name: link, vni: 1, local, underlay: 'eth0', learning: false, mac: vtep(n) },
    },
    ...dress(link, `10.244.${n}.0/32`),
    { op: 'neighbor.replace', neighbor: { link, address: gateway, mac: vtep(peer) } },
    { op: 'fdb.replace', entry: { link, mac: vtep(peer), destination: ip(`192.168.50.${peer}`) } },
    { op: 'route.replace', route: { destination, gateway, link, onlink: true } },
    { op: 'link.add', link: { kind: 'bridge', name: 'cni0' } },
    ...dress('cni0', `10.244.${n}.1/24`),
    {
      op: 'link.add',
      link: {
        kind: 'veth',
        name: 'veth0',
        bridge: 'cni0',
        up: true,
        mtu: 1450,
        peer: { name: 'eth0', netns: pod.netns, mtu: 1450 },
      },
    },
  )
  await must(pod.at, ...dress('eth0', `10.244.${n}.2/24`), route('0.0.0.0/0', `10.244.${n}.1`))
  return { ...node, pod }
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value)
export const read = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
