import assert from 'node:assert/strict'
import { ip, prefix } from '@podfabric/netaddr'
import type { Rule } from '../route.ts'
import { type CaseBody, must, refuses } from './bed.ts'
import { joined } from './topology.ts'

export const ruleCases: readonly CaseBody[] = [
  {
    name: 'a namespace begins with the rules local, main and, for IPv4, default',
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const rows = (await at.rules.list()).map((row) => [row.family, row.priority, row.action])
      assert.deepEqual(rows, [
        [4, 0, { lookup: 255 }],
        [4, 32766, { lookup: 254 }],
        [4, 32767, { lookup: 253 }],
        [6, 0, { lookup: 255 }],
        [6, 32766, { lookup: 254 }],
      ])
    },
  },
  ...([4, 6] as const).map(
    (family): CaseBody => ({
      name: `an IPv${family} rule is listed as it was given, added once and deleted once`,
      async run(bed) {
        const { at } = await bed.namespace(await bed.node(), 'pod')
        const rule: Rule = {
          family,
          priority: 500,
          from: prefix(family === 4 ? '10.1.0.0/16' : 'fd01::/32'),
          to: prefix(family === 4 ? '10.2.0.0/16' : 'fd02::/32'),
          mark: { value: 0x10, mask: 0xf0 },
          input: 'eth0',
          invert: true,
          action: { lookup: 100 },
          protocol: 80,
        }
        await at.rules.add(rule)
        await refuses('EEXIST', at.rules.add(rule))
        assert.deepEqual(
          (await at.rules.list()).find((row) => row.priority === 500),
          rule,
        )
        await at.rules.delete(rule)
        await refuses('ENOENT', at.rules.delete(rule))
      },
    }),
  ),
  {
    name: 'rules are asked by priority, and a table without an answer passes on to the next',
    async run(bed) {
      const { a } = await joined(bed)
      const destination = prefix('10.9.0.0/16')
      const to = ip('10.9.1.1')
      await must(
        a.at,
        { op: 'route.add', route: { destination, gateway: ip('10.1.0.2') } },
        { op: 'route.add', route: { destination, gateway: ip('10.1.0.3'), table: 100 } },
        { op: 'rule.add', rule: { family: 4, priority: 20, action: { lookup: 100 } } },
        { op: 'rule.add', rule: { family: 4, priority: 10, action: { lookup: 99 } } },
      )
      assert.equal((await a.at.routes.lookup({ destination: to })).gateway, '10.1.0.3')
      await a.at.rules.delete({ family: 4, priority: 20, action: { lookup: 100 } })
      assert.equal((await a.at.routes.lookup({ destination: to })).gateway, '10.1.0.2')
    },
  },
  {
    name: 'a rule matches by source, by mark and by destination',
    async run(bed) {
      const { a } = await joined(bed)
      const all = prefix('0.0.0.0/0')
      const destination = ip('10.9.1.1')
      await must(a.at, { op: 'route.add', route: { destination: all, gateway: ip('10.1.0.2'), table: 100 } })
      const cases: readonly { readonly rule: Rule; readonly hit: object; readonly miss: object }[] = [
        {
          rule: { family: 4, priority: 10, from: prefix('10.1.0.1/32'), action: { lookup: 100 } },
          hit: { destination, source: ip('10.1.0.1') },
          miss: { destination },
        },
        {
          rule: { family: 4, priority: 10, mark: { value: 2, mask: 0xff }, action: { lookup: 100 } },
          hit: { destination, mark: 0x102 },
          miss: { destination, mark: 3 },
        },
        {
          rule: { family: 4, priority: 10, to: prefix('10.9.1.0/24'), action: { lookup: 100 } },
          hit: { destination },
          miss: { destination: ip('10.9.2.1') },
        },
        {
          rule: { family: 4, priority: 10, to: prefix('10.9.1.0/24'), invert: true, action: { lookup: 100 } },
          hit: { destination: ip('10.9.2.1') },
          miss: { destination },
        },
      ]
      for (const { rule, hit, miss } of cases) {
        await a.at.rules.add(rule)
        assert.equal((await a.at.routes.lookup({ destination, ...hit })).table, 100)
        await refuses('ENETUNREACH', a.at.routes.lookup({ destination, ...miss }))
        await a.at.rules.delete(rule)
      }
    },
  },
  {
    name: 'a rule can refuse by itself',
    async run(bed) {
      const { a } = await joined(bed)
      for (const [action, code] of [
        ['unreachable', 'ENETUNREACH'],
        ['prohibit', 'EACCES'],
        ['blackhole', 'EINVAL'],
      ] as const) {
        const rule: Rule = { family: 4, priority: 10, action }
        await a.at.rules.add(rule)
        assert.equal((await a.at.rules.list()).find((row) => row.priority === 10)?.action, action)
        await refuses(code, a.at.routes.lookup({ destination: ip('10.1.0.2') }))
        await a.at.rules.delete(rule)
      }
    },
  },
]
