import { ifAddress, ip, mac, prefix } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { formatCommand } from './command.ts'
import type { NftExpression, NftMapping, NftObject } from './nft.ts'
import { formatNft } from './nft-command.ts'
import type { Operation } from './operation.ts'

const pod = { id: '4:1', path: '/run/netns/pod', async [Symbol.asyncDispose]() {} }

const commands: readonly (readonly [string, Operation])[] = [
  [
    'ip link add name veth1 mtu 1450 master br0 up type veth peer name eth0 mtu 1450 netns /run/netns/pod',
    {
      op: 'link.add',
      link: {
        kind: 'veth',
        name: 'veth1',
        mtu: 1450,
        bridge: 'br0',
        up: true,
        peer: { name: 'eth0', mtu: 1450, netns: pod },
      },
    },
  ],
  [
    "ip link add name br0 type bridge && ip link set dev br0 alias 'podfabric:it'\\''s ours'",
    { op: 'link.add', link: { kind: 'bridge', name: 'br0', alias: "podfabric:it's ours" } },
  ],
  [
    'ip link add name flannel.1 type vxlan id 1 dstport 8472 local 192.0.2.1 dev eth0 nolearning',
    {
      op: 'link.add',
      link: {
        kind: 'vxlan',
        name: 'flannel.1',
        vni: 1,
        local: ip('192.0.2.1'),
        underlay: 'eth0',
        learning: false,
      },
    },
  ],
  [
    'ip link set dev v0 name v9 nomaster down && bridge link set dev v9 hairpin on',
    { op: 'link.set', name: 'v0', change: { name: 'v9', bridge: null, up: false, port: { hairpin: true } } },
  ],
  ['bridge link set dev v0 flood off', { op: 'link.set', name: 'v0', change: { port: { flood: false } } }],
  ['ip link set dev v0 netns /run/netns/pod', { op: 'link.set', name: 'v0', change: { netns: pod } }],
  [
    'ip address add fd00::1/64 dev eth0 nodad noprefixroute',
    {
      op: 'address.add',
      address: { link: 'eth0', address: ifAddress('fd00::1/64'), noDad: true, noPrefixRoute: true },
    },
  ],
  [
    'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink',
    {
      op: 'route.replace',
      route: {
        destination: prefix('10.244.2.0/24'),
        gateway: ip('10.244.2.0'),
        link: 'flannel.1',
        onlink: true,
      },
    },
  ],
  [
    'ip -6 route delete unreachable fd00::/8',
    { op: 'route.delete', route: { destination: prefix('fd00::/8'), type: 'unreachable' } },
  ],
  [
    'ip rule add priority 9 not from all fwmark 0x1/0xff lookup 100',
    {
      op: 'rule.add',
      rule: { family: 4, priority: 9, invert: true, mark: { value: 1, mask: 255 }, action: { lookup: 100 } },
    },
  ],
  [
    'ip neighbor replace 10.244.2.0 dev flannel.1 lladdr 02:00:00:00:00:02 nud permanent',
    {
      op: 'neighbor.replace',
      neighbor: { link: 'flannel.1', address: ip('10.244.2.0'), mac: mac('02:00:00:00:00:02') },
    },
  ],
  [
    'ip neighbor add proxy 10.0.0.1 dev eth0',
    { op: 'neighbor.add', neighbor: { link: 'eth0', address: ip('10.0.0.1'), proxy: true } },
  ],
  [
    'bridge fdb append 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2 self permanent',
    {
      op: 'fdb.append',
      entry: { link: 'flannel.1', mac: mac('02:00:00:00:00:02'), destination: ip('192.0.2.2') },
    },
  ],
  [
    'bridge fdb del 02:00:00:00:00:02 dev v0 master',
    { op: 'fdb.delete', entry: { link: 'v0', mac: mac('02:00:00:00:00:02'), owner: 'master' } },
  ],
  [
    "sysctl -w 'net.ipv4.ping_group_range=0 100'",
    { op: 'sysctl.set', name: 'net.ipv4.ping_group_range', value: '0 100' },
  ],
  [
    "nft 'add table inet pods; delete chain inet pods forward'",
    {
      op: 'nft.apply',
      commands: [
        { verb: 'add', object: { kind: 'table', family: 'inet', name: 'pods' } },
        { verb: 'delete', object: { kind: 'chain', family: 'inet', table: 'pods', name: 'forward' } },
      ],
    },
  ],
]

describe('a command', () => {
  for (const [text, operation] of commands) {
    it(`is \`${text}\``, () => expect(formatCommand(operation)).toBe(text))
  }

  it('is run in the namespace it is for', () => {
    const operation = { op: 'link.delete', name: 'v0' } as const
    expect(formatCommand(operation, { netns: '/run/netns/my pod' })).toBe(
      "nsenter --net='/run/netns/my pod' ip link delete dev v0",
    )
  })
})

describe('an nftables command', () => {
  const place = { family: 'ip', table: 'nat' } as const

  it('writes a rule left to right, with its comment', () => {
    const rule = formatNft({
      verb: 'add',
      object: {
        kind: 'rule',
        ...place,
        chain: 'post',
        expressions: [
          { match: 'ip saddr', op: '!=', value: { set: 'pods' } },
          { match: 'oifname', value: ['eth0', 'eth1'] },
          { match: 'ct state', value: ['established', 'related'] },
          { dnat: { address: '10.0.0.1', port: 80 } },
        ],
        comment: 'podfabric: a test',
      },
    })
    expect(rule).toBe(
      'add rule ip nat post ip saddr != @pods oifname { "eth0", "eth1" } ct state { established, related } ' +
        'dnat to 10.0.0.1:80 comment "podfabric: a test"',
    )
  })

  it('writes maps, concatenations and what asks them', () => {
    const add = (object: NftObject) => formatNft({ verb: 'add', object })
    const rule = (...expressions: NftExpression[]) =>
      add({ kind: 'rule', ...place, chain: 'c', expressions }).slice('add rule ip nat c '.length)
    const key = ['ip daddr', 'meta l4proto', 'th dport'] as const
    const type = ['ipv4_addr', 'inet_proto', 'inet_service'] as const
    expect(add({ kind: 'set', ...place, name: 's', type, interval: true })).toBe(
      'add set ip nat s { type ipv4_addr . inet_proto . inet_service ; flags interval ; }',
    )
    expect(
      add({ kind: 'map', ...place, name: 'v', type: 'inet_service', to: 'verdict', interval: true }),
    ).toBe('add map ip nat v { type inet_service : verdict ; flags interval ; }')
    expect(add({ kind: 'map', ...place, name: 'd', type, to: ['ipv4_addr', 'inet_service'] })).toBe(
      'add map ip nat d { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service ; }',
    )
    const verdicts: readonly NftMapping[] = [
      { key: '1-9', to: { verdict: 'return' } },
      { key: 10, to: { jump: 'a' } },
      { key: 11, to: { goto: 'b' } },
    ]
    const elements = { kind: 'elements', ...place, map: 'v', elements: verdicts } as const
    expect(add(elements)).toBe('add element ip nat v { 1-9 : return, 10 : jump a, 11 : goto b }')
    expect(
      formatNft({
        verb: 'delete',
        object: { kind: 'elements', ...place, map: 'd', elements: [{ key: ['10.0.0.1', 'tcp', 80] }] },
      }),
    ).toBe('delete element ip nat d { 10.0.0.1 . tcp . 80 }')
    expect(
      add({
        kind: 'elements',
        ...place,
        map: 'd',
        elements: [{ key: ['10.0.0.1', 'tcp', 80], to: ['10.1.0.1', 8080] }],
      }),
    ).toBe('add element ip nat d { 10.0.0.1 . tcp . 80 : 10.1.0.1 . 8080 }')
    expect(rule({ match: key, op: '!=', value: { set: 's' } })).toBe(
      'ip daddr . meta l4proto . th dport != @s',
    )
    expect(
      rule({
        match: ['meta l4proto', 'th dport'],
        value: [
          ['tcp', 80],
          ['udp', 53],
        ],
      }),
    ).toBe('meta l4proto . th dport { tcp . 80, udp . 53 }')
    expect(rule({ vmap: { key, map: 'v' } })).toBe('ip daddr . meta l4proto . th dport vmap @v')
    expect(
      rule({
        vmap: {
          key: 'numgen random mod 2',
          map: [
            { key: 0, to: { jump: 'a' } },
            { key: 1, to: { verdict: 'drop' } },
          ],
        },
      }),
    ).toBe('numgen random mod 2 vmap { 0 : jump a, 1 : drop }')
    expect(rule({ dnat: { family: 'ip', key, map: 'd' } })).toBe(
      'dnat to ip daddr . meta l4proto . th dport map @d',
    )
    const inet = {
      verb: 'add',
      object: {
        kind: 'rule',
        family: 'inet',
        table: 't',
        chain: 'c',
        expressions: [{ snat: { family: 'ip6', key: 'ip6 saddr', map: 'd6' } }],
      },
    } as const
    expect(formatNft(inet)).toBe('add rule inet t c snat ip6 to ip6 saddr map @d6')
    expect(rule({ match: 'meta mark', mask: 0x4000, op: '!=', value: 0 })).toBe('meta mark & 16384 != 0')
    expect(rule({ match: 'meta mark', mask: 0x4000, value: 0x4000 })).toBe('meta mark & 16384 == 16384')
    expect(rule({ setMark: 0x4000, mask: 0xc000 })).toBe('meta mark set meta mark & 4294918143 | 16384')
    expect(rule({ setMark: 7 })).toBe('meta mark set 7')
  })

  it('refuses names and texts that would end their place', () => {
    const chain = (name: string) => formatNft({ verb: 'add', object: { kind: 'chain', ...place, name } })
    for (const bad of ['', 'a b', 'a;b', '9a', 'a"', 'a}']) expect(() => chain(bad)).toThrow(RangeError)
    const comment = (text: string) =>
      formatNft({
        verb: 'add',
        object: { kind: 'rule', ...place, chain: 'c', expressions: [], comment: text },
      })
    for (const bad of ['a"b', 'a\nb', 'a\\']) expect(() => comment(bad)).toThrow(RangeError)
    const value = (text: string) =>
      formatNft({ verb: 'add', object: { kind: 'elements', ...place, set: 's', elements: [text] } })
    expect(value('10.0.0.0/8')).toBe('add element ip nat s { 10.0.0.0/8 }')
    expect(() => value('1"; flush ruleset')).toThrow(RangeError)
  })

  it('deletes a rule by its handle only', () => {
    const object = { kind: 'rule', ...place, chain: 'post', expressions: [] } as const
    expect(formatNft({ verb: 'delete', object: { ...object, handle: 7 } })).toBe(
      'delete rule ip nat post handle 7',
    )
    expect(() => formatNft({ verb: 'delete', object })).toThrow(/handle/)
  })
})
