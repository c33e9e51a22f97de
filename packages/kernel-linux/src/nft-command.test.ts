import {
  formatNft,
  type NftCommand,
  type NftExpression,
  type NftObject,
  type NftRule,
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
