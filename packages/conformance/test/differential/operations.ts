import type { LinkChange, LinkSpec, Operation, Route, Rule } from '@podfabric/kernel'
import { placeOf } from '@podfabric/kernel/testing'
import { isUnspecified } from '@podfabric/netaddr'
import fc from 'fast-check'
import {
  anyMac,
  dense,
  ifAddresses,
  ip4,
  ip6,
  linkName,
  linkNames,
  maybe,
  prefix4,
  prefix6,
  unicastMac,
} from './values.ts'

// `dense` leaves out what is undefined, which the compiler does not follow: hence the assertions below.

/** Also what no link takes. */
const mtu = fc.constantFrom(1500, 1400, 1280, 1279, 576, 68, 67, 9000, 65_535, 65_536, 100_000)
/** What every kind of link takes: one fault at a time, for which of several Linux tells is its own order. */
const soundMtu = fc.constantFrom(1500, 1400, 1280, 1279, 576, 68, 9000)
const newName = fc.constantFrom(...linkNames, 'toolongtobealink', 'a/b', '')
const alias = fc.constantFrom('podfabric:test', '')
const bridgeName = fc.oneof({ weight: 5, arbitrary: fc.constant('br0') }, { weight: 1, arbitrary: linkName })
const place = fc.constantFrom('a', 'b').map(placeOf)
const often = (value: string) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(value) },
    { weight: 1, arbitrary: fc.constantFrom(...linkNames) },
  )

const wishes = {
  mtu: maybe(soundMtu, 5),
  up: maybe(fc.boolean()),
  alias: maybe(alias, 8),
  bridge: maybe(bridgeName, 3),
}

const veth = fc
  .record({
    name: often('v2'),
    mac: unicastMac,
    ...wishes,
    peer: fc
      .record({ name: often('v3'), mac: unicastMac, mtu: maybe(soundMtu, 6), netns: maybe(place) })
      .map(dense),
  })
  .map((spec) => dense({ kind: 'veth', ...spec }) as LinkSpec)

const bridge = fc
  .record({ name: often('br1'), mac: unicastMac, ageing: maybe(fc.constantFrom(0, 30, 300), 6), ...wishes })
  .map((spec) => dense({ kind: 'bridge', ...spec }) as LinkSpec)

const vxlan = fc
  .record({
    name: often('vx0'),
    mac: unicastMac,
    vni: fc.constantFrom(1, 7, 7, 7, 0, 16_777_216),
    udpPort: maybe(fc.constantFrom(4789, 8472)),
    local: maybe(fc.oneof(ip4, ip6).filter((address) => !isUnspecified(address))),
    underlay: maybe(linkName),
    learning: maybe(fc.boolean()),
    mtu: maybe(soundMtu, 5),
    up: maybe(fc.boolean()),
  })
  .map((spec) => dense({ kind: 'vxlan', ...spec }) as LinkSpec)

const linkChange = fc.oneof(
  { weight: 6, arbitrary: fc.boolean().map((up): LinkChange => ({ up })) },
  { weight: 2, arbitrary: mtu.map((value): LinkChange => ({ mtu: value })) },
  { weight: 2, arbitrary: anyMac.map((value): LinkChange => ({ mac: value })) },
  { weight: 1, arbitrary: alias.map((value): LinkChange => ({ alias: value })) },
  { weight: 1, arbitrary: newName.map((name): LinkChange => ({ name })) },
  { weight: 3, arbitrary: fc.option(bridgeName, { freq: 4 }).map((name): LinkChange => ({ bridge: name })) },
  {
    weight: 2,
    arbitrary: fc
      .record({
        hairpin: maybe(fc.boolean()),
        learning: maybe(fc.boolean()),
        flood: maybe(fc.boolean()),
        isolated: maybe(fc.boolean()),
      })
      .map((port) => ({ port: dense(port) }) as LinkChange),
  },
  { weight: 1, arbitrary: place.map((netns): LinkChange => ({ netns })) },
)

const link = fc.oneof(
  { weight: 2, arbitrary: veth.map((spec): Operation => ({ op: 'link.add', link: spec })) },
  { weight: 2, arbitrary: bridge.map((spec): Operation => ({ op: 'link.add', link: spec })) },
  { weight: 2, arbitrary: vxlan.map((spec): Operation => ({ op: 'link.add', link: spec })) },
  {
    weight: 7,
    arbitrary: fc
      .record({ name: linkName, change: linkChange })
      .map((change): Operation => ({ op: 'link.set', ...change })),
  },
  { weight: 1, arbitrary: linkName.map((name): Operation => ({ op: 'link.delete', name })) },
)

const scope = fc.constantFrom('global', 'link', 'host')

const address = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({
        op: fc.constantFrom('address.add', 'address.add', 'address.replace'),
        address: fc
          .record({
            link: linkName,
            address: ifAddresses,
            scope: maybe(scope, 6),
            noPrefixRoute: maybe(fc.boolean()),
            noDad: fc.constant(true),
          })
          .map(dense),
      })
      .map((operation) => operation as Operation),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ link: linkName, address: ifAddresses })
      .map((key): Operation => ({ op: 'address.delete', address: key })),
  },
)

const table = fc.constantFrom(254, 100, 253, 1000)
const routeFields = {
  link: maybe(linkName, 1),
  metric: maybe(fc.constantFrom(0, 1, 50), 4),
  table: maybe(table, 4),
  scope: maybe(fc.constantFrom('global', 'link', 'host', 'nowhere'), 6),
  onlink: maybe(fc.boolean(), 4),
  mtu: maybe(fc.constantFrom(1280, 1400, 9000), 6),
  protocol: maybe(fc.constantFrom(4, 99), 5),
  type: maybe(
    fc.constantFrom('unicast', 'unicast', 'local', 'blackhole', 'unreachable', 'prohibit', 'throw'),
    3,
  ),
} as const

const route = fc.oneof(
  fc.record({ destination: prefix4, gateway: maybe(ip4, 1), source: maybe(ip4, 5), ...routeFields }),
  fc.record({ destination: prefix6, gateway: maybe(ip6, 1), source: maybe(ip6, 5), ...routeFields }),
)

const routes = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .record({ op: fc.constantFrom('route.add', 'route.add', 'route.replace'), route })
      .map(({ op, route: row }): Operation => ({ op, route: dense(row) as Route }) as Operation),
  },
  {
    weight: 2,
    arbitrary: route.map((row): Operation => ({ op: 'route.delete', route: dense(row) as Route })),
  },
)

const family = (of: 4 | 6) => ({
  family: fc.constant(of),
  priority: fc.constantFrom(10, 20, 0, 32_766, 32_767),
  from: maybe(of === 4 ? prefix4 : prefix6, 2),
  to: maybe(of === 4 ? prefix4 : prefix6, 4),
  mark: maybe(fc.record({ value: fc.constantFrom(1, 0x10), mask: fc.constantFrom(0xff, 0xffff_ffff) }), 4),
  input: maybe(linkName, 6),
  output: maybe(linkName, 8),
  invert: maybe(fc.boolean(), 6),
  action: fc.oneof(
    { weight: 3, arbitrary: table.map((lookup) => ({ lookup })) },
    { weight: 1, arbitrary: fc.constantFrom('blackhole', 'unreachable', 'prohibit') },
  ),
  protocol: maybe(fc.constantFrom(4, 99), 5),
})

const rule = fc
  .oneof(fc.record(family(4)), fc.record(family(6)))
  .map((row) => dense(row) as Rule)
  .chain((row) =>
    fc.constantFrom('rule.add', 'rule.add', 'rule.delete').map((op) => ({ op, rule: row }) as Operation),
  )

const neighborState = fc.constantFrom('permanent', 'noarp', 'reachable', 'stale')

const neighbor = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({
        op: fc.constantFrom('neighbor.add', 'neighbor.replace'),
        neighbor: fc
          .record({
            link: linkName,
            address: fc.oneof(ip4, ip6),
            mac: anyMac,
            state: maybe(neighborState),
            proxy: maybe(fc.boolean(), 6),
            protocol: maybe(fc.constantFrom(4, 99), 5),
          })
          .map(dense),
      })
      .map((operation) => operation as Operation),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ link: linkName, address: fc.oneof(ip4, ip6), proxy: maybe(fc.boolean(), 6) })
      .map((key) => ({ op: 'neighbor.delete', neighbor: dense(key) }) as Operation),
  },
)

const fdb = fc
  .record({
    op: fc.constantFrom('fdb.add', 'fdb.replace', 'fdb.append', 'fdb.delete'),
    entry: fc
      .record({
        link: linkName,
        mac: anyMac,
        destination: maybe(fc.oneof(ip4, ip6), 1),
        state: maybe(fc.constantFrom('permanent', 'static', 'dynamic'), 2),
        owner: maybe(fc.constantFrom('self', 'master'), 2),
      })
      .map(dense),
  })
  .map((operation) => operation as Operation)

export const observedSysctls = [
  'net.ipv4.ip_forward',
  'net.ipv4.conf.all.forwarding',
  'net.ipv4.conf.v0.forwarding',
  'net.ipv4.conf.v0.rp_filter',
  'net.ipv4.conf.br0.proxy_arp',
  'net.ipv6.conf.all.forwarding',
  'net.ipv6.conf.v0.disable_ipv6',
  'net.ipv6.conf.v0.accept_dad',
] as const

const sysctlName = fc.constantFrom(
  'net.ipv4.ip_forward',
  'net.ipv4.conf.all.forwarding',
  'net.ipv4.conf.default.forwarding',
  'net.ipv4.conf.v0.forwarding',
  'net.ipv4.conf.v0.rp_filter',
  'net.ipv4.conf.br0.proxy_arp',
  'net.ipv4.conf.all.promote_secondaries',
  'net.ipv4.ip_nonlocal_bind',
  'net.ipv4.ip_default_ttl',
  'net.ipv6.conf.all.forwarding',
  'net.ipv6.conf.v0.disable_ipv6',
  'net.ipv6.conf.ghost.disable_ipv6',
)

const sysctl = fc
  .record({ name: sysctlName, value: fc.constantFrom('0', '1', '1', '2', '-1', '', 'x', '256') })
  .map((change): Operation => ({ op: 'sysctl.set', ...change }))

/** Any change to a namespace's tables, nftables aside. */
export const operation = fc.oneof(
  { weight: 8, arbitrary: link },
  { weight: 6, arbitrary: address },
  { weight: 7, arbitrary: routes },
  { weight: 2, arbitrary: rule },
  { weight: 3, arbitrary: neighbor },
  { weight: 3, arbitrary: fdb },
  { weight: 2, arbitrary: sysctl },
)
