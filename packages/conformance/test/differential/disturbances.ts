import type { NftCommand, NftExpression, Operation, RouteType } from '@podfabric/kernel'
import type { ScenarioStep } from '@podfabric/kernel/testing'
import { type Ip, ifAddress, ip, type Mac, mac, type Prefix, prefix } from '@podfabric/netaddr'
import fc from 'fast-check'
import { address4, address6, type Member, neighborSettings, type Topology } from './topology.ts'

/** Something that makes a network less plain, told without knowing which network it will be. */
export interface Disturbance {
  readonly what: keyof typeof disturbances
  readonly where: number
  readonly whom: number
  readonly v6: boolean
  readonly which: number
}

type Context = Topology & Disturbance & { readonly member: Member; readonly other: Member }

const nth = <T>(list: readonly T[], index: number): T => list[index % list.length] as T
const in_ = (at: string, ...operations: readonly Operation[]): readonly ScenarioStep[] =>
  operations.map((operation) => ({ at, operation }))
const sysctl = (at: string, name: string, value: string) => in_(at, { op: 'sysctl.set', name, value })
const hostOf = ({ v6 }: Disturbance, network: number, host: number): Ip =>
  ip(v6 ? address6(network, host) : address4(network, host))
const subnetOf = ({ v6 }: Disturbance, network: number): Prefix =>
  prefix(v6 ? `fd0${network}::/64` : `10.${network}.0.0/24`)
const single = (address: Ip): Prefix => prefix(`${address}/${address.includes(':') ? 128 : 32}`)
const dots = (link: string) => link.replaceAll('.', '/')

/** The simulated kernel does not put fragments together between the ports of a bridge. */
const unbridged = (at: string) => [
  ...sysctl(at, 'net.bridge.bridge-nf-call-iptables', '0'),
  ...sysctl(at, 'net.bridge.bridge-nf-call-ip6tables', '0'),
]

/** Addresses that nobody has to begin with. */
export const lonely = { 4: ['10.40.0.1', '10.41.0.1'], 6: ['fd40::1', 'fd41::1'] } as const
const macs: readonly Mac[] = [mac('02:00:00:00:00:01'), mac('02:00:00:00:00:03'), mac('02:00:00:00:00:77')]

const disturbances = {
  /** A further address: of the same network, another one, or a single one of `lo`. */
  address(context: Context) {
    const { member, v6, which } = context
    const { at, network } = member
    const [link, text] = nth(
      [
        [member.link, v6 ? `${address6(network, 50)}/64` : `${address4(network, 50)}/24`],
        [member.link, v6 ? 'fd40::1/64' : '10.40.0.1/24'],
        ['lo', v6 ? 'fd41::1/128' : '10.41.0.1/32'],
        [member.link, v6 ? 'fd41::1/128' : '10.41.0.1/32'],
      ] as const,
      which,
    )
    const address = ifAddress(text)
    return in_(at, { op: 'address.add', address: v6 ? { link, address, noDad: true } : { link, address } })
  },

  /** A route to somewhere of a type that drops, by another namespace, or onto a link. */
  route(context: Context) {
    const { member, other, v6, which, whom } = context
    const destination = nth(
      [
        single(hostOf(context, other.network, other.host)),
        subnetOf(context, other.network),
        single(ip(nth(lonely[v6 ? 6 : 4], whom))),
        prefix(v6 ? 'fd40::/16' : '10.40.0.0/16'),
      ],
      which >> 3,
    )
    const types: readonly RouteType[] = ['blackhole', 'unreachable', 'prohibit', 'throw']
    const type = types[which % 8]
    if (type !== undefined) return in_(member.at, { op: 'route.replace', route: { destination, type } })
    const gateway = hostOf(context, member.network, nth([254, 1, 2, 77], whom))
    const { link } = member
    const extra = nth(
      [{}, { mtu: 1280 }, { mtu: 1400 }, { source: hostOf(context, member.network, member.host) }],
      which >> 1,
    )
    const lead = nth([{ gateway }, { gateway, link }, { link }], which)
    return in_(member.at, { op: 'route.replace', route: { destination, ...lead, ...extra } })
  },

  /** A rule for some source or destination, and a table of its own. */
  rule(context: Context) {
    const { member, other, v6, which, whom } = context
    const about = nth(
      [
        { from: subnetOf(context, other.network) },
        { to: subnetOf(context, other.network) },
        { to: single(hostOf(context, other.network, other.host)) },
        { from: subnetOf(context, other.network), input: member.link },
      ],
      which,
    )
    const action = nth(
      [{ lookup: 100 }, { lookup: 100 }, 'blackhole', 'unreachable', 'prohibit'] as const,
      which >> 2,
    )
    const gateway = hostOf(context, member.network, nth([254, 1, 2, 77], whom))
    const destination = prefix(v6 ? '::/0' : '0.0.0.0/0')
    return in_(
      member.at,
      { op: 'rule.add', rule: { family: v6 ? 6 : 4, priority: 100 + (which % 3), ...about, action } },
      { op: 'route.replace', route: { destination, gateway, table: 100 } },
    )
  },

  /** A neighbor known by hand, rightly or wrongly. */
  neighbor(context: Context) {
    const { member, which, whom } = context
    const address = hostOf(context, member.network, nth([254, 1, 2, 3, 77], whom))
    // What was heard lately is not believed to be another for a second: only what is not heard at all.
    const state = nth(['permanent', 'noarp'] as const, which >> 2)
    return in_(member.at, {
      op: 'neighbor.replace',
      neighbor: { link: member.link, address, mac: nth(macs, which), state },
    })
  },

  /** Answers for others: all that a route leads to elsewhere, or one address. */
  proxy(context: Context) {
    const { member, other, v6, which, whom } = context
    const { at, link } = member
    const address = nth(
      [hostOf(context, other.network, other.host), ip(nth(lonely[v6 ? 6 : 4], whom))],
      which,
    )
    const entry: Operation = { op: 'neighbor.replace', neighbor: { link, address, proxy: true } }
    if (which % 4 > 1) return in_(at, entry)
    const family = v6 ? 'ipv6' : 'ipv4'
    return [
      ...sysctl(at, `net.${family}.conf.${dots(link)}.${v6 ? 'proxy_ndp' : 'proxy_arp'}`, '1'),
      ...in_(at, ...(v6 ? [entry] : [])),
    ]
  },

  setting({ member: { at, link }, v6, which }: Context) {
    const name = dots(link)
    const [key, value] = nth<readonly [string, string]>(
      v6
        ? ([[`net.ipv6.conf.${name}.disable_ipv6`, '1']] as const)
        : ([
            [`net.ipv4.conf.${name}.rp_filter`, '1'],
            [`net.ipv4.conf.${name}.rp_filter`, '2'],
            ['net.ipv4.ip_forward', '0'],
            [`net.ipv4.conf.${name}.forwarding`, '0'],
            [`net.ipv4.conf.${name}.forwarding`, '1'],
            [`net.ipv4.conf.${name}.accept_local`, '1'],
            [`net.ipv4.conf.${name}.arp_ignore`, '1'],
            [`net.ipv4.conf.${name}.arp_filter`, '1'],
            ['net.ipv4.icmp_echo_ignore_all', '1'],
            [`net.ipv4.conf.${name}.route_localnet`, '1'],
          ] as const),
      which,
    )
    return sysctl(at, key, value)
  },

  /** Both ends of a pair, or a bridge. */
  mtu({ links, where, which }: Context) {
    const mtu = nth([1400, 1280, 1000, 500, 1500], which)
    const first = nth(links, where)
    const at = links.indexOf(first)
    const pair =
      first.link === 'br0'
        ? [first]
        : first.link === 'up0'
          ? links.slice(at - 1, at + 1)
          : links.slice(at, at + 2)
    return pair.flatMap((end) => in_(end.at, { op: 'link.set', name: end.link, change: { mtu } }))
  },

  link({ links, where, which }: Context) {
    const { at, link } = nth(links, where)
    const change = nth([{ up: false }, { up: true }], which)
    return in_(at, { op: 'link.set', name: link, change })
  },

  port({ ports, where, which }: Context) {
    if (ports.length === 0) return []
    const { at, link } = nth(ports, where)
    const port = nth(
      [{ isolated: true }, { isolated: true }, { hairpin: true }, { flood: false }, { flood: false }],
      which,
    )
    return in_(at, { op: 'link.set', name: link, change: { port } })
  },

  fdb({ ports, members, where, which, whom }: Context) {
    if (ports.length === 0) return []
    const { at, link } = nth(ports, where)
    const state = nth(['static', 'dynamic', 'permanent'] as const, which)
    const cards = members.filter((one) => one.link !== 'br0')
    const card = mac(nth(cards, whom).mac)
    return in_(at, { op: 'fdb.replace', entry: { link, mac: card, owner: 'master', state } })
  },

  /** A tunnel between two namespaces, with a network of its own inside. */
  tunnel(context: Context) {
    const { member, other, which } = context
    if (member.at === other.at) return []
    const ends = [
      [member, other, 1],
      [other, member, 2],
    ] as const
    return ends.flatMap(([near, far, n]) => [
      ...in_(
        near.at,
        {
          op: 'link.add',
          link: {
            kind: 'vxlan',
            name: 'vx0',
            vni: 9,
            udpPort: 4789,
            local: hostOf(context, near.network, near.host),
            learning: (which & 1) === 0,
            mac: mac(`02:00:00:00:09:0${n}`),
            ...((which & 2) === 0 ? {} : { mtu: 1500 }),
          },
        },
        // Reports of IPv6 groups would cross the tunnel whenever they like.
        { op: 'sysctl.set', name: 'net.ipv6.conf.vx0.disable_ipv6', value: '1' },
        { op: 'link.set', name: 'vx0', change: { up: true } },
        {
          op: 'fdb.append',
          entry: {
            link: 'vx0',
            mac: mac((which & 4) === 0 ? '00:00:00:00:00:00' : `02:00:00:00:09:0${3 - n}`),
            destination: hostOf(context, far.network, far.host),
          },
        },
        { op: 'address.add', address: { link: 'vx0', address: ifAddress(`10.9.0.${n}/24`) } },
      ),
      ...neighborSettings(near.at, 'vx0'),
    ])
  },

  /** One chain with one rule: few objects, for what they do to packets. */
  filter(context: Context) {
    const { member, other, v6, which, whom } = context
    const side = v6 ? 'ip6' : 'ip'
    const about: readonly NftExpression[] = nth(
      [
        [{ match: 'udp dport', value: 7 }],
        [{ match: 'meta l4proto', value: v6 ? 'ipv6-icmp' : 'icmp' }],
        [{ match: `${side} daddr`, value: hostOf(context, other.network, other.host) }],
        [{ match: 'tcp dport', value: 7 }],
        [{ match: 'ct state', value: ['established', 'related'] }],
        [
          { match: 'iifname', value: member.link },
          { match: 'ct state', value: 'new' },
        ],
      ] as const,
      which,
    )
    const verdict: NftExpression = nth(
      [
        { verdict: 'drop' },
        { reject: 'icmp' },
        { verdict: 'accept' },
        ...(which % 6 === 3 ? [{ reject: 'tcp reset' }] : []),
      ] as readonly NftExpression[],
      whom,
    )
    const hook = nth(['forward', 'input', 'prerouting'] as const, which >> 3)
    return in_(member.at, {
      op: 'nft.apply',
      commands: chainOf('inet', 'filter', hook, 0, [...about, verdict], which),
    })
  },

  /** Another source or destination on the way. */
  nat(context: Context) {
    const { member, other, v6, which, whom } = context
    const side = v6 ? 'ip6' : 'ip'
    const { at, link } = member
    const other6 = hostOf(context, other.network, other.host)
    const target = nth([other6, ip(nth(lonely[v6 ? 6 : 4], whom))], which >> 2)
    const commands = nth(
      [
        chainOf(side, 'nat', 'postrouting', 100, [{ match: 'oifname', value: link }, { masquerade: {} }], 0),
        chainOf(
          side,
          'nat',
          'prerouting',
          -100,
          [
            { match: `${side} daddr`, value: target },
            { match: 'udp dport', value: 7 },
            { dnat: { address: nth([other6, hostOf(context, member.network, member.host)], whom), port: 7 } },
          ],
          0,
        ),
        chainOf(
          side,
          'nat',
          'postrouting',
          100,
          [
            { match: `${side} daddr`, value: target },
            { snat: { address: hostOf(context, member.network, member.host) } },
          ],
          0,
        ),
        chainOf(
          side,
          'nat',
          'output',
          -100,
          [{ match: `${side} daddr`, value: target }, { dnat: { address: other6 } }],
          0,
        ),
      ],
      which,
    )
    return [...unbridged(at), ...in_(at, { op: 'nft.apply', commands })]
  },
} as const satisfies Record<string, (context: Context) => readonly ScenarioStep[]>

/** A nat chain of both families makes Linux follow connections of the one that it translates, and ours those of both. */
function chainOf(
  family: 'inet' | 'ip' | 'ip6',
  type: 'filter' | 'nat',
  hook: 'forward' | 'input' | 'output' | 'prerouting' | 'postrouting',
  priority: number,
  expressions: readonly NftExpression[],
  which: number,
): readonly NftCommand[] {
  const place = { family, table: 't' } as const
  const name = `${type}-${hook}`
  const policy = type === 'filter' && hook === 'forward' && which % 16 === 15 ? 'drop' : 'accept'
  return [
    { verb: 'add', object: { kind: 'table', family, name: 't' } },
    { verb: 'add', object: { kind: 'chain', ...place, name, base: { type, hook, priority, policy } } },
    { verb: 'add', object: { kind: 'rule', ...place, chain: name, expressions } },
  ]
}

const weights = {
  address: 4,
  route: 6,
  rule: 3,
  neighbor: 3,
  proxy: 3,
  setting: 4,
  mtu: 3,
  link: 1,
  port: 2,
  fdb: 2,
  tunnel: 3,
  filter: 3,
  nat: 3,
} as const satisfies Record<keyof typeof disturbances, number>

export const disturbance: fc.Arbitrary<Disturbance> = fc.record({
  what: fc.oneof(
    ...Object.entries(weights).map(([what, weight]) => ({
      weight,
      arbitrary: fc.constant(what as keyof typeof disturbances),
    })),
  ),
  where: fc.nat(11),
  whom: fc.nat(11),
  v6: fc.boolean(),
  which: fc.nat(31),
})

export function disturb(topology: Topology, plan: Disturbance): readonly ScenarioStep[] {
  const member = nth(topology.members, plan.where)
  const other = nth(topology.members, plan.whom)
  return disturbances[plan.what]({ ...topology, ...plan, member, other })
}
