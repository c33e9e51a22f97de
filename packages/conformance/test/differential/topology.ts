import type { Operation } from '@podfabric/kernel'
import { placeOf, type ScenarioStep } from '@podfabric/kernel/testing'
import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import fc from 'fast-check'

/** How the n-th namespace hangs on the network: on which earlier one, and by what. */
export interface Branch {
  /** Which of the earlier ones, modulo their number. */
  readonly parent: number
  /** A port of the parent's bridge, or a veth pair of its own. */
  readonly bridged: boolean
  readonly mtu: number
  /** What it knows of the rest of the network. */
  readonly way: 'default' | 'default' | 'routes' | 'nobody' | 'none'
}

export interface TopologyPlan {
  readonly branches: readonly Branch[]
  /** Bit n: the n-th namespace forwards. */
  readonly forwards4: number
  readonly forwards6: number
}

const mtu = fc.oneof(
  { weight: 5, arbitrary: fc.constant(1500) },
  { weight: 2, arbitrary: fc.constantFrom(1400, 1300, 1280) },
  { weight: 1, arbitrary: fc.constantFrom(576, 600, 9000) },
)
const bits = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0b111111) },
  { weight: 1, arbitrary: fc.nat(0b111111) },
)

export const topologyPlan: fc.Arbitrary<TopologyPlan> = fc.record({
  branches: fc.array(
    fc.record({
      parent: fc.nat(4),
      bridged: fc.boolean(),
      mtu,
      way: fc.constantFrom('default', 'default', 'default', 'routes', 'nobody', 'none'),
    }),
    { minLength: 1, maxLength: 5, size: 'max' },
  ),
  forwards4: bits,
  // Hosts that do not route avoid routers that did not answer, and the simulated kernel does not.
  forwards6: fc.constant(0b111111),
})

/** One namespace's interface on one network. */
export interface Member {
  readonly at: string
  readonly link: string
  readonly network: number
  readonly host: number
  readonly mac: string
}

export interface Topology {
  readonly namespaces: readonly string[]
  readonly steps: readonly ScenarioStep[]
  /** Interfaces with addresses. */
  readonly members: readonly Member[]
  /** Bridges' ports: where, and of which bridge. */
  readonly ports: readonly { readonly at: string; readonly link: string }[]
  readonly links: readonly { readonly at: string; readonly link: string }[]
}

const names = ['a', 'b', 'c', 'd', 'e', 'f']

export const address4 = (network: number, host: number): string => `10.${network}.0.${host}`
export const address6 = (network: number, host: number): string => `fd0${network}::${host.toString(16)}`

/** Settings that make time short and chance small: asking for a neighbor takes 40 ms in all, and nothing is limited. */
function settings(at: string): readonly ScenarioStep[] {
  const set = (name: string, value: string): ScenarioStep => ({
    at,
    operation: { op: 'sysctl.set', name, value },
  })
  return [
    set('net.ipv6.conf.default.accept_dad', '0'),
    // The simulated kernel neither sends nor heeds redirects.
    set('net.ipv4.conf.all.send_redirects', '0'),
    set('net.ipv4.conf.default.send_redirects', '0'),
    set('net.ipv6.conf.default.accept_redirects', '0'),
    set('net.ipv4.icmp_ratelimit', '0'),
    set('net.ipv6.icmp.ratelimit', '0'),
    { at, operation: { op: 'link.set', name: 'lo', change: { up: true } } },
  ]
}

export function neighborSettings(at: string, link: string): readonly ScenarioStep[] {
  const set = (name: string, value: string): ScenarioStep => ({
    at,
    operation: { op: 'sysctl.set', name, value },
  })
  return (['ipv4', 'ipv6'] as const).flatMap((family) => [
    set(`net.${family}.neigh.${link}.retrans_time_ms`, '40'),
    set(`net.${family}.neigh.${link}.mcast_solicit`, '1'),
    set(`net.${family}.neigh.${link}.proxy_delay`, '0'),
  ])
}

/** A tree of namespaces: network n joins the n-th namespace, or a bridge's ports, with the one above. */
export function topologyOf({ branches, forwards4, forwards6 }: TopologyPlan): Topology {
  const namespaces = names.slice(0, branches.length + 1)
  const steps: ScenarioStep[] = namespaces.flatMap(settings)
  const members: Member[] = []
  const ports: { at: string; link: string }[] = []
  const links: { at: string; link: string }[] = []
  /** By namespace: the network of its bridge. */
  const bridges = new Map<string, number>()
  /** By namespace: its network above, and the parent's host number there. */
  const above = new Map<string, { parent: string; network: number; own: number; branch: Branch }>()
  let networks = 0
  let cards = 0
  const add = (at: string, operation: Operation) => steps.push({ at, operation })
  const newMac = () => `02:00:00:00:00:${(++cards).toString(16).padStart(2, '0')}`
  const dress = (at: string, link: string, network: number, host: number, card: string) => {
    members.push({ at, link, network, host, mac: card })
    add(at, { op: 'address.add', address: { link, address: ifAddress(`${address4(network, host)}/24`) } })
    add(at, {
      op: 'address.add',
      address: { link, address: ifAddress(`${address6(network, host)}/64`), noDad: true },
    })
  }

  for (const [i, branch] of branches.entries()) {
    const at = namespaces[i + 1] as string
    const parent = namespaces[branch.parent % (i + 1)] as string
    const { bridged, mtu: near } = branch
    const [card, parentCard] = [newMac(), newMac()]
    let network = bridges.get(parent)
    const fresh = network === undefined || !bridged
    if (fresh) network = ++networks
    if (bridged && fresh) {
      const bridgeCard = newMac()
      bridges.set(parent, network as number)
      add(parent, { op: 'link.add', link: { kind: 'bridge', name: 'br0', mac: mac(bridgeCard), up: true } })
      steps.push(...neighborSettings(parent, 'br0'))
      dress(parent, 'br0', network as number, 254, bridgeCard)
      links.push({ at: parent, link: 'br0' })
    }
    const port = `p${i + 1}`
    add(parent, {
      op: 'link.add',
      link: {
        kind: 'veth',
        name: port,
        mac: mac(parentCard),
        mtu: near,
        up: true,
        ...(bridged ? { bridge: 'br0' } : {}),
        peer: { name: 'up0', mac: mac(card), mtu: near, netns: placeOf(at) },
      },
    })
    steps.push(...neighborSettings(parent, port), ...neighborSettings(at, 'up0'))
    add(at, { op: 'link.set', name: 'up0', change: { up: true } })
    links.push({ at: parent, link: port }, { at, link: 'up0' })
    const own = i + 1
    if (bridged) ports.push({ at: parent, link: port })
    else dress(parent, port, network as number, 254, parentCard)
    dress(at, 'up0', network as number, own, card)
    above.set(at, { parent, network: network as number, own, branch })
  }

  for (const [i, at] of namespaces.entries()) {
    if (((forwards4 >> i) & 1) === 1) add(at, { op: 'sysctl.set', name: 'net.ipv4.ip_forward', value: '1' })
    if (((forwards6 >> i) & 1) === 1)
      add(at, { op: 'sysctl.set', name: 'net.ipv6.conf.all.forwarding', value: '1' })
  }
  for (const at of namespaces) steps.push(...waysOf(at, above, members))
  return { namespaces, steps, members, ports, links }
}

/** Up by default, or by a route for each network there; down by a route for each. */
function waysOf(
  at: string,
  above: ReadonlyMap<string, { parent: string; network: number; own: number; branch: Branch }>,
  members: readonly Member[],
): readonly ScenarioStep[] {
  const own = new Set(members.filter((member) => member.at === at).map(({ network }) => network))
  const all = [...new Set(members.map(({ network }) => network))]
  const steps: ScenarioStep[] = []
  const route = (destination: string, gateway: string) =>
    steps.push({
      at,
      operation: { op: 'route.add', route: { destination: prefix(destination), gateway: ip(gateway) } },
    })
  const up = above.get(at)
  const reached = new Set(own)
  for (const [child, { parent, network, own: host }] of above) {
    if (parent !== at) continue
    for (const other of below(child, above, members)) {
      if (reached.has(other)) continue
      reached.add(other)
      route(`10.${other}.0.0/24`, address4(network, host))
      route(`fd0${other}::/64`, address6(network, host))
    }
  }
  if (up === undefined || up.branch.way === 'none') return steps
  const gateway = up.branch.way === 'nobody' ? 77 : 254
  if (up.branch.way === 'routes') {
    for (const other of all) {
      if (reached.has(other)) continue
      route(`10.${other}.0.0/24`, address4(up.network, gateway))
      route(`fd0${other}::/64`, address6(up.network, gateway))
    }
    return steps
  }
  route('0.0.0.0/0', address4(up.network, gateway))
  route('::/0', address6(up.network, gateway))
  return steps
}

/** The networks that a namespace and those that hang on it are on. */
function below(
  at: string,
  above: ReadonlyMap<string, { parent: string }>,
  members: readonly Member[],
): ReadonlySet<number> {
  const found = new Set(members.filter((member) => member.at === at).map(({ network }) => network))
  for (const [child, { parent }] of above) {
    if (parent === at) for (const network of below(child, above, members)) found.add(network)
  }
  return found
}
