import {
  formatNft,
  type NftBase,
  type NftCommand,
  type NftExpression,
  type NftKey,
  type NftMap,
  type NftMapping,
  type NftObject,
  type NftRule,
  type NftSet,
} from '@podfabric/kernel'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NftNamespace, nftCommandMissing, nftNamespace, withoutHandles } from '../test/nft-namespace.ts'
import { rulesets } from '../test/nft-ruleset.ts'

const missing = nftCommandMissing()
const title = 'nftables by nft(8) and by this package'

describe.skipIf(missing !== undefined)(
  missing === undefined ? title : `${title} (skipped: ${missing})`,
  () => {
    let ours: NftNamespace
    let theirs: NftNamespace
    beforeAll(async () => {
      ours = await nftNamespace()
      theirs = await nftNamespace()
    })
    afterAll(async () => {
      await ours[Symbol.asyncDispose]()
      await theirs[Symbol.asyncDispose]()
    })

    /** Applies the same both ways and compares what either way of reading sees, then clears both. */
    const compare = async (...transactions: readonly (readonly NftCommand[])[]) => {
      try {
        for (const commands of transactions) {
          theirs.nft(['-f', '-'], commands.map((command) => `${formatNft(command)}\n`).join(''))
          await ours.at.nft.apply(commands)
        }
        expect(ours.nft(['list', 'ruleset'])).toBe(theirs.nft(['list', 'ruleset']))
        expect(printed(ours)).toEqual(printed(theirs))
        const listed = withoutHandles(await ours.at.nft.list())
        expect(withoutHandles(await theirs.at.nft.list())).toEqual(listed)
        return listed
      } finally {
        for (const { nft } of [ours, theirs]) nft(['flush', 'ruleset'])
      }
    }

    it('are the same, whatever they are', async () => {
      await fc.assert(
        fc.asyncProperty(rulesets, async (objects) => {
          fc.pre(!objects.some((object) => object.kind === 'rule' && hasTwoUnequal(object)))
          expect(await compare(objects.map((object) => ({ verb: 'add', object })))).toEqual(objects)
        }),
        { numRuns: 40 },
      )
    })

    it.each<Example>(examples())('are the same for $name', async ({ commands, next = [] }: Example) => {
      await compare(commands, ...next)
    })

    it.each<Example>(mapExamples())('are listed as given for $name', async ({ commands }: Example) => {
      const listed = await compare(commands)
      const given = commands.map(({ object }) => object)
      expect(listed.filter(({ kind }) => kind === 'rule')).toEqual(
        given.filter(({ kind }) => kind === 'rule'),
      )
      expect(listed).toEqual(expect.arrayContaining(given))
      expect(listed.length).toBe(given.length)
    })
  },
)

/**
 * Two fields side by side that must not have one value each: nft 1.0.6 makes one comparison of them, which only asks
 * that they do not both have it.
 */
function hasTwoUnequal({ expressions }: NftRule): boolean {
  const unequal = expressions.filter(
    (one) =>
      'match' in one &&
      one.op === '!=' &&
      typeof one.value !== 'object' &&
      /^ip |port$/.test(String(one.match)),
  )
  return unequal.length > 1
}

/** As nft says it in JSON, without handles. */
function printed({ nft }: NftNamespace): unknown {
  const { nftables }: { nftables: unknown[] } = JSON.parse(nft(['-j', 'list', 'ruleset']))
  return JSON.parse(JSON.stringify(nftables, (key, value) => (key === 'handle' ? undefined : value)))
}

/** What chance does not make: values that a list gives back in other words, and the whole of a change. */
interface Example {
  readonly name: string
  readonly commands: readonly NftCommand[]
  /** Transactions behind it. */
  readonly next?: readonly (readonly NftCommand[])[]
}

function examples(): readonly Example[] {
  const table = { kind: 'table', family: 'inet', name: 't' } as const
  const place = { family: 'inet', table: 't' } as const
  const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
  const remove = (object: NftObject): NftCommand => ({ verb: 'delete', object })
  const base = { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' } as const
  const chain = { kind: 'chain', ...place, name: 'c', base } as const
  const rule = (...expressions: NftExpression[]): NftRule => ({
    kind: 'rule',
    ...place,
    chain: 'c',
    expressions,
  })
  const ports = { kind: 'set', ...place, name: 'ports', type: 'inet_service', interval: true } as const
  const elements = (...values: (string | number)[]) =>
    ({ kind: 'elements', ...place, set: 'ports', elements: values }) as const
  const start = [add(table), add(ports), add(chain)]
  return [
    { name: 'no rules', commands: [add(table)] },
    { name: 'a reject in a table for both versions', commands: [...start, add(rule({ reject: 'icmp' }))] },
    {
      name: 'a reject of IPv4 and one of IPv6',
      commands: [
        ...start,
        add(rule({ match: 'ip saddr', value: '10.0.0.1' }, { reject: 'icmp' })),
        add(rule({ match: 'ip6 saddr', value: 'fd00::1' }, { reject: 'icmp' })),
      ],
    },
    {
      name: 'a reset',
      commands: [...start, add(rule({ match: 'tcp dport', value: '1-9' }, { reject: 'tcp reset' }))],
    },
    {
      name: 'prefixes of all lengths at once',
      commands: [
        ...start,
        ...Array.from({ length: 32 }, (_, i) =>
          add(rule({ match: 'ip daddr', value: `128.0.0.0/${i + 1}` })),
        ),
        ...Array.from({ length: 128 }, (_, i) => add(rule({ match: 'ip6 daddr', value: `8000::/${i + 1}` }))),
      ],
    },
    {
      name: 'fields that lie side by side',
      commands: [
        ...start,
        add(rule({ match: 'ip saddr', value: '10.0.0.1' }, { match: 'ip daddr', value: '10.0.0.2' })),
        add(rule({ match: 'tcp sport', value: 1 }, { match: 'tcp dport', value: 2 })),
      ],
    },
    {
      name: 'a protocol and a port of it',
      commands: [
        ...start,
        add(rule({ match: 'meta l4proto', value: 'tcp' }, { match: 'ip saddr', value: '10.0.0.1' })),
        add(rule({ match: 'udp dport', value: [53, '60-70', 80] }, { verdict: 'accept' })),
      ],
    },
    {
      name: 'lists that touch, and a list of one',
      commands: [
        ...start,
        add(rule({ match: 'tcp dport', value: ['10-20', '30-40', 50] })),
        add(rule({ match: 'ip saddr', value: ['10.0.0.0/8', '10.0.0.1-10.0.0.9', '192.168.0.0/16'] })),
      ],
    },
    {
      name: 'intervals that meet, reach to the end, are deleted and come again',
      commands: [...start, add(elements('0-5', '10-20', '21-30', 40, '60000-65535'))],
      next: [[remove(elements('10-20', '60000-65535'))], [add(elements('12-19', 65535))]],
    },
    {
      name: 'an element that is there already',
      commands: [...start, add(elements('10-20')), add(elements('10-20', 30))],
    },
    {
      name: '2,000 elements',
      commands: [
        ...start,
        add(elements(...Array.from({ length: 2000 }, (_, i) => `${30 * i}-${30 * i + 9}`))),
      ],
    },
    ...mapExamples(),
    {
      name: 'what is flushed and deleted again',
      commands: [
        ...start,
        add(elements(1, 2)),
        add(rule({ match: 'tcp dport', value: { set: 'ports' } }, { verdict: 'drop' })),
        { verb: 'flush', object: ports },
        { verb: 'flush', object: chain },
        remove(ports),
      ],
    },
  ]
}

/** Maps, concatenations and masks; what is listed is what was applied, in order of keys. */
function mapExamples(): readonly Example[] {
  const place = { family: 'inet', table: 't' } as const
  const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
  const nat = { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' } as const
  const post = { type: 'nat', hook: 'postrouting', priority: 100, policy: 'accept' } as const
  const chain = (name: string, base?: NftBase) =>
    add({ kind: 'chain', ...place, name, ...(base === undefined ? {} : { base }) })
  const start = [
    add({ kind: 'table', family: 'inet', name: 't' }),
    chain('a'),
    chain('b'),
    chain('c', nat),
    chain('d', post),
  ]
  const rule = (...expressions: NftExpression[]) => add({ kind: 'rule', ...place, chain: 'c', expressions })
  const map = (name: string, type: NftMap['type'], to: NftMap['to'], interval?: true) =>
    add({ kind: 'map', ...place, name, type, to, ...(interval === undefined ? {} : { interval }) })
  const set = (name: string, type: NftSet['type'], interval?: true) =>
    add({ kind: 'set', ...place, name, type, ...(interval === undefined ? {} : { interval }) })
  const mapped = (name: string, ...elements: NftMapping[]) =>
    add({ kind: 'elements', ...place, map: name, elements })
  const within = (name: string, ...elements: NftKey[]) =>
    add({ kind: 'elements', ...place, set: name, elements })
  const service = ['ip daddr', 'meta l4proto', 'th dport'] as const
  const service6 = ['ip6 daddr', 'meta l4proto', 'th dport'] as const
  const v4: NftMap['type'] = ['ipv4_addr', 'inet_proto', 'inet_service']
  const v6: NftMap['type'] = ['ipv6_addr', 'inet_proto', 'inet_service']
  return [
    {
      name: 'maps of verdicts',
      commands: [
        ...start,
        map('v', v4, 'verdict'),
        map('p', 'inet_service', 'verdict', true),
        map('i', 'ifname', 'verdict'),
        map('m', 'mark', 'verdict', true),
        mapped(
          'v',
          { key: ['10.0.0.1', 'tcp', 80], to: { jump: 'a' } },
          { key: ['10.0.0.1', 'udp', 80], to: { goto: 'b' } },
          { key: ['10.0.0.2', 'tcp', 80], to: { verdict: 'drop' } },
        ),
        mapped(
          'p',
          { key: '10-20', to: { jump: 'a' } },
          { key: '21-30', to: { verdict: 'accept' } },
          { key: '60000-65535', to: { verdict: 'return' } },
        ),
        mapped('i', { key: 'eth0', to: { jump: 'a' } }, { key: 'eth1', to: { verdict: 'accept' } }),
        mapped('m', { key: 7, to: { jump: 'a' } }, { key: '256-511', to: { verdict: 'drop' } }),
        rule({ vmap: { key: service, map: 'v' } }),
        rule(
          { match: 'meta l4proto', value: 'udp' },
          { vmap: { key: 'ip daddr', map: [{ key: '10.0.0.0/8', to: { verdict: 'drop' } }] } },
        ),
        rule({ vmap: { key: 'tcp dport', map: 'p' } }),
        rule({ vmap: { key: 'iifname', map: 'i' } }),
        rule({ vmap: { key: 'meta mark', map: 'm' } }),
        rule({ match: service, value: { set: 'v' } }, { verdict: 'accept' }),
      ],
      next: [
        [
          {
            verb: 'delete',
            object: { kind: 'elements', ...place, map: 'v', elements: [{ key: ['10.0.0.1', 'udp', 80] }] },
          },
        ],
        [{ verb: 'delete', object: { kind: 'elements', ...place, map: 'p', elements: [{ key: '21-30' }] } }],
      ],
    },
    {
      name: 'targets that maps give',
      commands: [
        ...start,
        map('d', v4, ['ipv4_addr', 'inet_service']),
        map('d6', v6, ['ipv6_addr', 'inet_service']),
        map('one', 'ipv4_addr', 'ipv4_addr'),
        map('one6', 'ipv6_addr', 'ipv6_addr', true),
        map('marks', ['ipv4_addr', 'mark'], 'mark'),
        mapped('d', { key: ['10.0.0.1', 'tcp', 80], to: ['10.1.0.1', 8080] }),
        mapped('d6', { key: ['fd00::1', 'udp', 53], to: ['fd01::1', 5353] }),
        mapped('one', { key: '10.0.0.1', to: '10.1.0.1' }),
        mapped('one6', { key: 'fd00::/64', to: 'fd01::1' }),
        mapped('marks', { key: ['10.0.0.1', 258], to: 772 }),
        rule({ dnat: { family: 'ip', key: service, map: 'd' } }),
        rule({ dnat: { family: 'ip6', key: service6, map: 'd6' } }),
        rule({ dnat: { family: 'ip', key: 'ip daddr', map: 'one' } }),
        rule({ dnat: { family: 'ip6', key: 'ip6 daddr', map: 'one6' } }),
        rule(
          { match: 'tcp dport', value: 80 },
          {
            dnat: {
              family: 'ip',
              key: 'numgen random mod 2',
              map: [
                { key: 0, to: ['10.0.0.1', 80] },
                { key: 1, to: ['10.0.0.2', 81] },
              ],
            },
          },
        ),
        rule({
          vmap: {
            key: 'numgen inc mod 3',
            map: [
              { key: 0, to: { jump: 'a' } },
              { key: 1, to: { goto: 'b' } },
              { key: 2, to: { verdict: 'drop' } },
            ],
          },
        }),
        add({
          kind: 'rule',
          ...place,
          chain: 'd',
          expressions: [
            {
              snat: {
                family: 'ip',
                key: ['ip saddr', 'oifname'],
                map: [{ key: ['10.0.0.1', 'eth0'], to: '10.1.0.1' }],
              },
            },
          ],
        }),
      ],
    },
    {
      name: 'concatenations in sets and lists',
      commands: [
        ...start,
        set('s', ['ipv4_addr', 'inet_service']),
        set('r', ['ipv4_addr', 'inet_proto', 'inet_service'], true),
        set('m', ['ipv6_addr', 'mark', 'ifname'], true),
        within('s', ['10.0.0.1', 80], ['10.0.0.1', 81]),
        within('r', ['10.0.0.0/8', 'tcp', '80-90'], ['11.0.0.1-11.0.0.7', 'udp', 53]),
        within('m', ['fd00::/64', '1-300', 'eth0']),
        rule({ match: ['ip saddr', 'tcp dport'], value: { set: 's' } }, { verdict: 'accept' }),
        rule({ match: service, op: '!=', value: { set: 'r' } }, { verdict: 'drop' }),
        rule({ match: ['ip6 saddr', 'meta mark', 'iifname'], value: { set: 'm' } }),
        rule({
          match: ['meta l4proto', 'th dport'],
          value: [
            ['tcp', 80],
            ['udp', 53],
          ],
        }),
        rule({ match: ['ip saddr', 'th sport'], op: '!=', value: [['10.0.0.0/8', '1-5']] }),
        rule({ match: 'th dport', value: [1, '5-9'] }),
      ],
      next: [
        [
          {
            verb: 'delete',
            object: { kind: 'elements', ...place, set: 'r', elements: [['10.0.0.0/8', 'tcp', '80-90']] },
          },
        ],
        [
          {
            verb: 'flush',
            object: { kind: 'set', ...place, name: 's', type: ['ipv4_addr', 'inet_service'] },
          },
        ],
      ],
    },
    {
      name: 'some bits of the mark',
      commands: [
        ...start,
        rule({ match: 'meta mark', mask: 0x4000, value: 0x4000 }),
        rule({ match: 'meta mark', mask: 0xff00, op: '!=', value: 0 }, { setMark: 0x4000, mask: 0xc000 }),
        rule({ setMark: 0, mask: 0xffff0000 }),
        rule({ setMark: 0x8000_0000, mask: 0x8000_0000 }, { verdict: 'accept' }),
      ],
    },
  ]
}
