import type { NftExpression, NftField, NftValue } from '@podfabric/kernel'
import { tcpFlags } from '@podfabric/wire'
import { describe, expect, it } from 'vitest'
import {
  add,
  chainWith,
  echoPacket,
  filter,
  forward,
  nat,
  octetsOf,
  remove,
  router,
  rule,
  tcpPacket,
  udpPacket,
} from '../test/netfilter-bed.ts'
import type { NetfilterPacket } from './netfilter.ts'

const udp4 = () => udpPacket({ from: '10.1.2.3', to: '10.9.0.1' })
const tcp4 = () => tcpPacket({ from: '10.1.2.3', to: '10.9.0.1' })
const udp6 = () => udpPacket({ from: 'fd00::1:2:3', to: 'fd09::1' })
const echo4 = () => echoPacket({ from: '10.1.2.3', to: '198.51.100.1' }, 'echo-request')

type Match = readonly [NftField, NftValue | readonly NftValue[], ...('!=' | number)[]]

const matching: readonly (readonly [() => NetfilterPacket, boolean, ...Match])[] = [
  [udp4, true, 'ip saddr', '10.1.2.3'],
  [udp4, false, 'ip saddr', '10.1.2.4'],
  [udp4, true, 'ip saddr', '10.0.0.0/8'],
  [udp4, true, 'ip saddr', '10.1.2.0-10.1.2.3'],
  [udp4, false, 'ip saddr', '10.1.2.4-10.1.2.9'],
  [udp4, true, 'ip saddr', ['10.9.0.0/16', '10.1.2.3', '10.1.0.0/16']],
  [udp4, false, 'ip saddr', ['10.9.0.0/16', '10.1.2.4']],
  [udp4, false, 'ip saddr', '10.0.0.0/8', '!='],
  [udp4, true, 'ip saddr', '11.0.0.0/8', '!='],
  [udp4, true, 'ip saddr', '0.0.0.0/0'],
  [udp4, true, 'ip daddr', '10.9.0.1'],
  [udp6, false, 'ip saddr', '0.0.0.0/0'],
  [udp6, false, 'ip saddr', '10.0.0.0/8', '!='],
  [udp6, true, 'ip6 saddr', 'fd00::1:2:3'],
  [udp6, true, 'ip6 saddr', 'fd00::/64'],
  [udp6, false, 'ip6 saddr', 'fd00::1:2:4-fd00::ffff:0:0'],
  [udp6, true, 'ip6 saddr', ['fd00:1::/32', 'fd00::1:2:3', '::1']],
  [udp6, false, 'ip6 daddr', ['fd00:1::/32', 'fd00::1:2:3', '::1']],
  [udp6, false, 'ip6 daddr', 'fd09::1', '!='],
  [udp4, false, 'ip6 daddr', 'fd09::1', '!='],
  [udp4, true, 'udp dport', 53],
  [udp4, true, 'udp dport', '53'],
  [udp4, true, 'udp dport', '50-60'],
  [udp4, false, 'udp dport', [52, 54]],
  [udp4, true, 'udp sport', [5000, '1-2']],
  [udp6, true, 'udp dport', 53],
  [udp4, false, 'tcp dport', 53],
  [udp4, false, 'tcp dport', 1, '!='],
  [tcp4, true, 'tcp dport', 80],
  [tcp4, true, 'tcp dport', 81, '!='],
  [tcp4, true, 'meta l4proto', 'tcp'],
  [udp6, true, 'meta l4proto', ['tcp', 'udp']],
  [echo4, true, 'meta l4proto', 1],
  [echo4, false, 'meta l4proto', 'icmpv6'],
  [udp4, true, 'iifname', 'in'],
  [udp4, false, 'iifname', 'i'],
  [udp4, true, 'iifname', 'i*'],
  [udp4, true, 'iifname', ['eth*', 'in']],
  [udp4, true, 'oifname', 'in', '!='],
  [udp4, true, 'meta mark', 0],
  [udp4, true, 'ct state', 'new'],
  [udp4, true, 'ct state', ['new', 'established']],
  [udp4, false, 'ct state', ['related', 'established']],
  [udp4, true, 'ct state', 'established', '!='],
  [udp4, false, 'ct status', 'confirmed'],
  [udp4, true, 'fib daddr type', 'local'],
  [echo4, false, 'fib daddr type', 'local'],
  [echo4, true, 'fib daddr type', ['unicast', 'broadcast']],
]

describe('a match', () => {
  it.each(matching.map(([make, expected, match, value, op]) => ({ make, expected, match, value, op })))(
    'of $match $op $value on $make.name is $expected',
    ({ make, expected, match, value, op }) => {
      const { rules } = router()
      const condition: NftExpression = op === '!=' ? { match, op, value } : { match, value }
      rules.apply(chainWith(filter('forward'), [[condition, { verdict: 'drop' }]]))
      expect(forward(rules, make()).at(-1)?.verdict).toBe(expected ? 'drop' : 'accept')
    },
  )

  it('of a named set sees what is in it now', () => {
    const { rules } = router()
    const set = {
      kind: 'set',
      family: 'inet',
      table: 't',
      name: 's',
      type: 'ipv6_addr',
      interval: true,
    } as const
    const elements = {
      kind: 'elements',
      family: 'inet',
      table: 't',
      set: 's',
      elements: ['fd00::/64'],
    } as const
    const [table, ...rest] = chainWith(filter('forward'), [
      [{ match: 'ip6 saddr', value: { set: 's' } }, { verdict: 'drop' }],
    ])
    rules.apply([table, add(set), ...rest].filter((command) => command !== undefined))
    const verdict = () => forward(rules, udp6()).at(-1)?.verdict
    expect(verdict()).toBe('accept')
    rules.apply([add(elements)])
    expect(verdict()).toBe('drop')
    rules.apply([remove(elements)])
    expect(verdict()).toBe('accept')
  })

  it('of a port fails for fragments after the first, and behind extension headers it does not', () => {
    const { rules } = router()
    rules.apply(chainWith(filter('forward'), [[{ match: 'udp dport', value: 53 }, { verdict: 'drop' }]]))
    const fragment = udp4()
    fragment.bytes[fragment.offset + 7] = 1
    expect(forward(rules, fragment).at(-1)?.verdict).toBe('accept')
    const plain = octetsOf(udp6())
    const bytes = new Uint8Array(plain.length + 8)
    bytes.set(plain.subarray(0, 40))
    bytes.set([17, 0, 1, 4, 0, 0, 0, 0], 40)
    bytes.set(plain.subarray(40), 48)
    bytes[6] = 60
    bytes[5] = (bytes[5] ?? 0) + 8
    const extended: NetfilterPacket = {
      bytes,
      offset: 0,
      length: bytes.length,
      family: 6,
      mark: 0,
      connection: undefined,
    }
    expect(forward(rules, extended).at(-1)?.verdict).toBe('drop')
  })
})

describe('a chain', () => {
  const counter = { counter: { packets: 0, bytes: 0 } }
  const accept = { verdict: 'accept' } as const
  const drop = { verdict: 'drop' } as const
  const named = (name: string) => add({ kind: 'chain', family: 'inet', table: 't', name })

  it('ends with its policy, and says that it did', () => {
    const { rules } = router()
    rules.apply(chainWith(filter('forward', 'drop'), []))
    expect(forward(rules, udp4()).at(-1)).toEqual({
      verdict: 'drop',
      reason: 'NFT_DROP',
      because: { table: 'inet t', chain: 'forward', policy: 'drop' },
    })
  })

  it('that drops is the end, whatever chains after it say; one that accepts is not', () => {
    const { rules } = router()
    rules.apply([
      ...chainWith({ ...filter('forward'), priority: -10 }, [[accept]], 'inet', 'early'),
      ...chainWith(filter('forward'), [[counter, drop]], 'inet', 'late'),
    ])
    const [decision] = forward(rules, udp4()).slice(-1)
    expect(decision).toMatchObject({ verdict: 'drop', because: { chain: 'late', handle: 4 } })
  })

  it('is entered by jumps that come back and by gotos that do not', () => {
    const { rules } = router()
    const mark = (setMark: number): NftExpression => ({ setMark })
    const is = (value: number): NftExpression => ({ match: 'meta mark', value })
    rules.apply([
      ...chainWith(filter('forward'), []),
      named('sub'),
      named('leaf'),
      ...[
        rule('forward', [{ jump: 'sub' }]),
        rule('forward', [is(2), mark(3)]),
        rule('forward', [{ goto: 'leaf' }]),
        rule('forward', [mark(9)]),
        rule('sub', [mark(1)]),
        rule('sub', [{ goto: 'leaf' }]),
        rule('sub', [mark(8)]),
        rule('leaf', [is(1), mark(2)]),
        rule('leaf', [is(2), { verdict: 'return' }]),
        rule('leaf', [is(3), mark(4)]),
      ].map(add),
    ])
    const packet = udp4()
    forward(rules, packet)
    expect(packet.mark).toBe(4)
  })

  it('counts what it sees, in octets of IP packets', () => {
    const { rules } = router()
    rules.apply(chainWith(filter('forward'), [[{ match: 'udp dport', value: 53 }, counter, accept]]))
    for (const packet of [udp4(), tcp4(), udp4()]) forward(rules, packet)
    const [listed] = rules.list().filter(({ kind }) => kind === 'rule')
    expect(listed).toMatchObject({ expressions: [{}, { counter: { packets: 2, bytes: 62 } }, {}] })
  })

  it('rejects with the answer that the rule says', () => {
    const { rules } = router()
    rules.apply(chainWith(filter('forward'), [[{ reject: 'tcp reset' }], [{ reject: 'icmp' }]]))
    expect(forward(rules, tcp4()).at(-1)).toMatchObject({ verdict: 'reject', answer: 'tcp reset' })
    expect(forward(rules, udp4()).at(-1)).toMatchObject({
      verdict: 'reject',
      answer: 'icmp',
      reason: 'NFT_REJECT',
    })
  })

  it('of type nat sees the first packet of a connection only', () => {
    const { rules } = router()
    rules.apply(chainWith(nat('postrouting'), [[counter]]))
    const reply = tcpPacket(
      { from: '10.9.0.1', to: '10.1.2.3', sourcePort: 80, destinationPort: 5000 },
      tcpFlags.syn | tcpFlags.ack,
    )
    forward(rules, tcp4())
    forward(rules, reply, 'in')
    forward(rules, tcp4())
    const [listed] = rules.list().filter(({ kind }) => kind === 'rule')
    expect(listed).toMatchObject({ expressions: [{ counter: { packets: 1 } }] })
  })

  it('before the connection is known sees no state', () => {
    const { rules } = router()
    const early = { ...filter('prerouting'), priority: -300 }
    rules.apply(chainWith(early, [[{ match: 'ct state', value: 'new' }, drop]]))
    expect(forward(rules, udp4()).at(-1)?.verdict).toBe('accept')
  })

  it('of one IP version never sees the other', () => {
    const { rules } = router()
    rules.apply(chainWith(filter('forward', 'drop'), [], 'ip'))
    expect(rules.active('forward', 6)).toBe(false)
    expect(forward(rules, udp4()).at(-1)?.verdict).toBe('drop')
    expect(forward(rules, udp6()).at(-1)?.verdict).toBe('accept')
  })
})
