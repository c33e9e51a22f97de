import type { Errno, NftCommand, NftExpression, NftObject } from '@podfabric/kernel'
import { describe, expect, it } from 'vitest'
import { add, chainWith, filter, nat, remove, router, rule } from '../test/netfilter-bed.ts'

const table = { kind: 'table', family: 'inet', name: 't' } as const
const place = { family: 'inet', table: 't' } as const
const chain = (name: string) => ({ kind: 'chain', ...place, name }) as const
const base = (name: string, spec: ReturnType<typeof filter> | ReturnType<typeof nat>) => ({
  ...chain(name),
  base: spec,
})
const set = (
  name: string,
  type: 'ipv4_addr' | 'ipv6_addr' | 'inet_service' | 'ifname' | 'mark',
  interval = false,
) => ({ kind: 'set', ...place, name, type, ...(interval ? { interval } : {}) }) as const
const elements = (name: string, ...values: (string | number)[]) =>
  ({ kind: 'elements', ...place, set: name, elements: values }) as const
const create = (object: NftObject): NftCommand => ({ verb: 'create', object })
const flush = (object: ReturnType<typeof chain> | typeof table | ReturnType<typeof set>): NftCommand => ({
  verb: 'flush',
  object,
})

function start() {
  const { rules } = router()
  rules.apply([
    add(table),
    add(chain('a')),
    add(chain('b')),
    add(base('in', filter('input', 'drop'))),
    add(base('pre', nat('prerouting'))),
    add(base('post', nat('postrouting'))),
    add(set('s', 'ipv4_addr')),
    add(set('i', 'ipv4_addr', true)),
    add(elements('s', '10.0.0.1')),
    add(elements('i', '10.0.0.0/8')),
    add(rule('a', [{ verdict: 'accept' }])),
    add(rule('b', [{ match: 'ip saddr', value: { set: 's' } }, { jump: 'a' }])),
  ])
  return rules
}

const accept: NftExpression = { verdict: 'accept' }

// What Linux 6.18 says to the same.
const refusals: readonly (readonly [Errno, string, ...NftCommand[]])[] = [
  ['EEXIST', 'a table created twice', create(table)],
  ['ENOENT', 'a table that is not there deleted', remove({ ...table, name: 'x' })],
  ['ENOENT', 'the same name in another family', remove({ ...table, family: 'ip' })],
  ['ENOENT', 'a chain in no table', add({ ...chain('c'), table: 'x' })],
  ['EEXIST', 'a chain created twice', create(chain('a'))],
  ['EEXIST', 'a chain made a base chain', add(base('a', nat('input')))],
  ['EOPNOTSUPP', 'a chain made a base chain with a policy', add(base('a', filter('input')))],
  ['EOPNOTSUPP', 'another hook for a base chain', add(base('in', filter('forward')))],
  [
    'EOPNOTSUPP',
    'another priority for a base chain',
    add(base('in', { ...filter('input'), priority: 5 } as never)),
  ],
  ['EBUSY', 'a chain deleted that is jumped to', remove(chain('a'))],
  [
    'EOPNOTSUPP',
    'a nat chain at forward',
    add({ ...chain('n'), base: { ...nat('input'), hook: 'forward' } }),
  ],
  [
    'EOPNOTSUPP',
    'a nat chain before connections are known',
    add({ ...chain('n'), base: { ...nat('input'), priority: -200 } }),
  ],
  ['ENOENT', 'a rule in no chain', add(rule('x', [accept]))],
  ['ENOENT', 'a jump to no chain', add(rule('a', [{ jump: 'x' }]))],
  ['EOPNOTSUPP', 'a jump to a base chain', add(rule('a', [{ jump: 'in' }]))],
  [
    'EINVAL',
    'a circle that packets would enter',
    add(rule('a', [{ jump: 'b' }])),
    add(rule('in', [{ jump: 'a' }])),
  ],
  ['ENOENT', 'a rule that asks no set', add(rule('a', [{ match: 'ip saddr', value: { set: 'x' } }]))],
  ['EINVAL', 'a set of another type', add(rule('a', [{ match: 'tcp dport', value: { set: 's' } }]))],
  ['ENOENT', 'a rule deleted by a wrong handle', remove({ ...rule('a', [accept]), handle: 999 })],
  ['EINVAL', 'a rule deleted without a handle', remove(rule('a', [accept]))],
  ['EINVAL', 'two verdicts', add(rule('a', [accept, accept]))],
  ['EINVAL', 'a counter after a verdict', add(rule('a', [accept, { counter: { packets: 0, bytes: 0 } }]))],
  ['EOPNOTSUPP', 'masquerade at prerouting', add(rule('pre', [{ masquerade: {} }]))],
  ['EOPNOTSUPP', 'dnat at postrouting', add(rule('post', [{ dnat: { address: '10.0.0.1' } }]))],
  ['EOPNOTSUPP', 'snat at prerouting', add(rule('pre', [{ snat: { address: '10.0.0.1' } }]))],
  ['EOPNOTSUPP', 'masquerade in a filter chain', add(rule('in', [{ masquerade: {} }]))],
  [
    'EOPNOTSUPP',
    'masquerade that a filter chain jumps to',
    add(rule('a', [{ masquerade: {} }])),
    add(rule('in', [{ jump: 'a' }])),
  ],
  ['EOPNOTSUPP', 'reject at postrouting', add(rule('post', [{ reject: 'icmp' }]))],
  [
    'EINVAL',
    'dnat to a port of no protocol',
    add(rule('pre', [{ dnat: { address: '10.0.0.1', port: 80 } }])),
  ],
  [
    'EINVAL',
    'both IP versions',
    add(
      rule('a', [
        { match: 'ip saddr', value: '10.0.0.1' },
        { match: 'ip6 daddr', value: '::1' },
      ]),
    ),
  ],
  [
    'EINVAL',
    'both transports',
    add(
      rule('a', [
        { match: 'tcp dport', value: 1 },
        { match: 'udp dport', value: 1 },
      ]),
    ),
  ],
  [
    'EINVAL',
    'a tcp reset for UDP',
    add(rule('a', [{ match: 'udp dport', value: 1 }, { reject: 'tcp reset' }])),
  ],
  ['EINVAL', 'a prefix that is too long', add(rule('a', [{ match: 'ip saddr', value: '10.0.0.0/33' }]))],
  ['EINVAL', 'a port out of range', add(rule('a', [{ match: 'tcp dport', value: 70_000 }]))],
  ['EINVAL', 'an unknown state', add(rule('a', [{ match: 'ct state', value: 'fresh' }]))],
  ['EINVAL', 'a comment of 129 octets', add({ ...rule('a', [accept]), comment: 'x'.repeat(129) })],
  ['EEXIST', 'a set created twice', create(set('s', 'ipv4_addr'))],
  ['EEXIST', 'a set with another type', add(set('s', 'ipv6_addr'))],
  ['EEXIST', 'a set with other flags', add(set('s', 'ipv4_addr', true))],
  ['EBUSY', 'a set deleted that is asked', remove(set('s', 'ipv4_addr'))],
  ['EEXIST', 'an element created twice', create(elements('s', '10.0.0.1'))],
  ['ENOENT', 'an element deleted that is not there', remove(elements('s', '10.0.0.9'))],
  ['EINVAL', 'a prefix without the flag', add(elements('s', '10.0.0.0/8'))],
  ['EINVAL', 'an address of the other version', add(elements('s', 'fd00::1'))],
  ['EEXIST', 'an overlap', add(elements('i', '10.1.0.0/16'))],
  ['ENOENT', 'part of an interval deleted', remove(elements('i', '10.0.0.1'))],
  ['ENOENT', 'elements of no set', add(elements('x', '10.0.0.1'))],
  ['ENOENT', 'no table flushed', flush({ ...table, name: 'x' } as never)],
  ['EOPNOTSUPP', 'a bridge table', add({ ...table, family: 'bridge' })],
]

const refused = refusals.map(([code, what, ...commands]) => ({ code, what, commands }))

describe('a transaction', () => {
  it.each(refused)('is $code for $what, and changes nothing', ({ code, commands }) => {
    const rules = start()
    const before = rules.list()
    const noise = [
      add(chain('new')),
      add(rule('in', [{ match: 'ip saddr', value: { set: 'i' } }, { jump: 'new' }])),
      add(elements('s', '10.0.0.7')),
      remove(elements('i', '10.0.0.0/8')),
      add(elements('i', '10.0.0.0/8')),
      flush(chain('b')),
      add(rule('b', [{ match: 'ip saddr', value: { set: 's' } }, { jump: 'a' }])),
    ]
    expect(() => rules.apply([...noise, ...commands])).toThrow(expect.objectContaining({ code }))
    expect(rules.list()).toEqual(before)
    rules.apply([flush(table), remove(chain('a')), remove(set('s', 'ipv4_addr')), remove(table)])
    expect(rules.list()).toEqual([])
  })

  it('may add again what is there, change a policy, and delete a chain with its rules', () => {
    const rules = start()
    const before = rules.list()
    rules.apply([
      add(table),
      add(chain('a')),
      add(chain('in')),
      add(set('s', 'ipv4_addr')),
      add(elements('s', '10.0.0.1')),
    ])
    expect(rules.list()).toEqual(before)
    rules.apply([add(base('in', filter('input', 'accept')))])
    expect(rules.list()).toContainEqual(base('in', filter('input', 'accept')))
    rules.apply([remove(chain('b')), remove(set('s', 'ipv4_addr')), remove(chain('a'))])
    expect(rules.list().filter(({ kind }) => kind === 'rule')).toEqual([])
  })

  it('counts handles in each table, rules and chains and sets together', () => {
    const rules = start()
    rules.apply([
      add({ ...table, family: 'ip' }),
      add({ ...chain('z'), family: 'ip' }),
      add(rule('z', [accept], 'ip')),
    ])
    const handles = rules.list().flatMap((object) => (object.kind === 'rule' ? [object.handle] : []))
    expect(handles).toEqual([8, 9, 2])
  })

  it('a circle that no packet can enter is allowed, as in Linux', () => {
    const rules = start()
    rules.apply([add(rule('a', [{ jump: 'a' }]))])
    expect(rules.list().filter(({ kind }) => kind === 'rule')).toHaveLength(3)
  })
})

describe('elements', () => {
  it('are listed in order, intervals as short as they can be written', () => {
    const { rules } = router()
    rules.apply([
      add(table),
      add(set('x4', 'ipv4_addr', true)),
      add(elements('x4', '10.0.1.10', '10.0.0.0/24', '10.0.1.0-10.0.1.9', '9.1.1.1', '10.0.2.1/24')),
      add(set('x6', 'ipv6_addr', true)),
      add(elements('x6', 'fe80::1', 'fd00::/64')),
      add(set('p', 'inet_service', true)),
      add(elements('p', 81, 80, '100-200')),
      add(set('m', 'mark')),
      add(elements('m', 256, '0x50')),
      add(set('n', 'ifname')),
      add(elements('n', 'eth0', 'lo')),
    ])
    const listed = rules.list().flatMap((object) => (object.kind === 'elements' ? [object.elements] : []))
    expect(listed).toEqual([
      ['9.1.1.1', '10.0.0.0/24', '10.0.1.0-10.0.1.9', '10.0.1.10', '10.0.2.0/24'],
      ['fd00::/64', 'fe80::1'],
      [80, 81, '100-200'],
      [80, 256],
      ['eth0', 'lo'],
    ])
  })

  it('of a flushed set are gone, and those of others stay', () => {
    const rules = start()
    rules.apply([flush(set('s', 'ipv4_addr'))])
    expect(rules.list().filter(({ kind }) => kind === 'elements')).toEqual([elements('i', '10.0.0.0/8')])
  })
})

it('a rule is listed as it was given, with what its counter has counted from', () => {
  const { rules } = router()
  const given = rule('forward', [
    { match: 'tcp dport', value: [80, 443] },
    { counter: { packets: 7, bytes: 700 } },
    accept,
  ])
  rules.apply([...chainWith(filter('forward'), []), add({ ...given, comment: 'podfabric: x' })])
  expect(rules.list().at(-1)).toEqual({ ...given, comment: 'podfabric: x', handle: 2 })
})
