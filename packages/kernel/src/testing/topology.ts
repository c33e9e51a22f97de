import { type Bed, dress, must, type Node, type Place, route } from './bed.ts'

/** Two namespaces `a` and `b` joined by a veth pair: 10.1.0.1 and 10.1.0.2 /24, fd01::1 and fd01::2 /64. */
export async function joined(
  bed: Bed,
): Promise<{ readonly node: Node; readonly a: Place; readonly b: Place }> {
  const node = await bed.node()
  const a = await bed.namespace(node, 'a')
  const b = await bed.namespace(node, 'b')
  await must(
    a.at,
    { op: 'link.add', link: { kind: 'veth', name: 'eth0', peer: { name: 'eth0', netns: b.netns } } },
    ...dress('lo'),
    ...dress('eth0', '10.1.0.1/24', 'fd01::1/64'),
  )
  await must(b.at, ...dress('lo'), ...dress('eth0', '10.1.0.2/24', 'fd01::2/64'))
  return { node, a, b }
}

/** A line of `a`, the node as router at .254 and ::fe of both sides, and `b`: 10.1.0.1, 10.2.0.1, fd01::1, fd02::1. */
export async function routed(
  bed: Bed,
  options: { readonly forwarding?: boolean; readonly mtu?: number } = {},
): Promise<{ readonly router: Node; readonly a: Place; readonly b: Place }> {
  const router = await bed.node()
  const { forwarding = true, mtu = 1500 } = options
  const a = await bed.namespace(router, 'a')
  const b = await bed.namespace(router, 'b')
  const value = forwarding ? '1' : '0'
  await must(
    router.at,
    { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value },
    { op: 'sysctl.set', name: 'net.ipv6.conf.all.forwarding', value },
    { op: 'link.add', link: { kind: 'veth', name: 'to-a', peer: { name: 'eth0', netns: a.netns } } },
    {
      op: 'link.add',
      link: { kind: 'veth', name: 'to-b', mtu, peer: { name: 'eth0', netns: b.netns, mtu } },
    },
    // A router asks for neighbors from its link-local address, which has to be usable.
    { op: 'sysctl.set', name: 'net.ipv6.conf.to-a.accept_dad', value: '0' },
    { op: 'sysctl.set', name: 'net.ipv6.conf.to-b.accept_dad', value: '0' },
    ...dress('to-a', '10.1.0.254/24', 'fd01::fe/64'),
    ...dress('to-b', '10.2.0.254/24', 'fd02::fe/64'),
  )
  const defaults = (n: 1 | 2) => [route('0.0.0.0/0', `10.${n}.0.254`), route('::/0', `fd0${n}::fe`)]
  await must(a.at, ...dress('lo'), ...dress('eth0', '10.1.0.1/24', 'fd01::1/64'), ...defaults(1))
  await must(b.at, ...dress('lo'), ...dress('eth0', '10.2.0.1/24', 'fd02::1/64'), ...defaults(2))
  return { router, a, b }
}

/** `count` pods on the bridge br0 of a node: pod `i` is 10.1.0.`i` and fd01::`i`, its port `port`+`i`; the bridge 10.1.0.254. */
export async function bridged(
  bed: Bed,
  count: number,
): Promise<{ readonly node: Node; readonly pods: readonly Place[] }> {
  const node = await bed.node()
  await must(
    node.at,
    { op: 'link.add', link: { kind: 'bridge', name: 'br0' } },
    ...dress('br0', '10.1.0.254/24', 'fd01::fe/64'),
  )
  const pods: Place[] = []
  for (let i = 1; i <= count; i++) {
    const pod = await bed.namespace(node, `pod${i}`)
    const peer = { name: 'eth0', netns: pod.netns }
    await must(node.at, {
      op: 'link.add',
      link: { kind: 'veth', name: `port${i}`, bridge: 'br0', up: true, peer },
    })
    await must(pod.at, ...dress('lo'), ...dress('eth0', `10.1.0.${i}/24`, `fd01::${i}/64`))
    pods.push(pod)
  }
  return { node, pods }
}

/** The n-th of a list that is known to be long enough. */
export function nth<T>(list: readonly T[], index: number): T {
  const item = list[index]
  if (item === undefined) throw new RangeError(`there are ${list.length}, none at ${index}`)
  return item
}
