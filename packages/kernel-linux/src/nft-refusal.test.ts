import type { Errno, NftCommand, NftExpression, NftObject, NftRule } from '@podfabric/kernel'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NftNamespace, nftablesMissing, nftNamespace } from '../test/nft-namespace.ts'

const missing = nftablesMissing()
const title = 'a refused transaction of nftables'

const table = { kind: 'table', family: 'inet', name: 't' } as const
const place = { family: 'inet', table: 't' } as const
const chain = (name: string) => ({ kind: 'chain', ...place, name }) as const
const set = { kind: 'set', ...place, name: 's', type: 'inet_service', interval: true } as const
const ports = (...elements: (string | number)[]) =>
  ({ kind: 'elements', ...place, set: 's', elements }) as const
const rule = (name: string, ...expressions: NftExpression[]): NftRule => ({
  kind: 'rule',
  ...place,
  chain: name,
  expressions,
})
const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
const create = (object: NftObject): NftCommand => ({ verb: 'create', object })
const remove = (object: NftObject): NftCommand => ({ verb: 'delete', object })
const forward = { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' } as const
const start: readonly NftCommand[] = [
  add(table),
  add(set),
  add(ports('10-20')),
  add(chain('a')),
  add({ ...chain('f'), base: forward }),
  add(rule('f', { match: 'tcp dport', value: { set: 's' } }, { jump: 'a' })),
]

const refusals: readonly (readonly [Errno, string, NftCommand])[] = [
  ['EEXIST', 'nft create table inet t: table t: it exists already', create(table)],
  ['ENOENT', 'nft delete table inet x: table x: no such entry', remove({ ...table, name: 'x' })],
  ['EEXIST', 'nft create chain inet t a: chain a: it exists already', create(chain('a'))],
  ['EBUSY', 'nft delete chain inet t a: chain a: it is in use', remove(chain('a'))],
  ['ENOENT', 'nft add rule inet t x accept: chain x: no such entry', add(rule('x', { verdict: 'accept' }))],
  ['ENOENT', 'nft add rule inet t a jump x: ', add(rule('a', { jump: 'x' }))],
  ['EEXIST', 'nft create element inet t s { 10-20 }: element: it exists already', create(ports('10-20'))],
  ['EEXIST', 'nft add element inet t s { 15-30 }: element: it exists already', add(ports('15-30'))],
  ['ENOENT', 'nft delete element inet t s { 11 }: element: no such entry', remove(ports(11))],
  ['EBUSY', 'nft delete set inet t s: set s: it is in use', remove(set)],
  ['EINVAL', 'nft add element inet t s { 70000 }: 70000 is not a number up to 65535', add(ports(70000))],
  [
    'EINVAL',
    'nft add rule inet t a ct state fresh: "fresh" is not one of invalid, ',
    add(rule('a', { match: 'ct state', value: 'fresh' })),
  ],
  [
    'ENOENT',
    'nft delete rule inet t a handle 999: rule: no such entry',
    remove({ ...rule('a', { verdict: 'accept' }), handle: 999 }),
  ],
]

describe.skipIf(missing !== undefined)(
  missing === undefined ? title : `${title} (skipped: ${missing})`,
  () => {
    let space: NftNamespace
    beforeAll(async () => {
      space = await nftNamespace()
      await space.at.nft.apply(start)
    })
    afterAll(() => space[Symbol.asyncDispose]())

    it.each(refusals.map(([code, message, command]) => ({ code, message, command })))(
      'is $code, says "$message", and leaves nothing',
      async ({ code, message, command }) => {
        const { nft } = space.at
        const before = await nft.list()
        const noise = [
          add(chain('new')),
          add(ports('100-200')),
          remove(ports('10-20')),
          add(ports('10-20')),
          add(rule('new', { match: 'ip saddr', value: ['10.0.0.1', '10.0.0.2'] }, { verdict: 'drop' })),
          add(rule('f', { jump: 'new' })),
        ]
        const error: unknown = await nft
          .apply([...noise, command, add(chain('behind'))])
          .catch((thrown: unknown) => thrown)
        expect(error).toMatchObject({ code, message: expect.stringContaining(message) })
        expect(await nft.list()).toEqual(before)
      },
    )

    it('is told by its first command that was refused', async () => {
      const { nft } = space.at
      const wrong = [add(rule('x', { verdict: 'accept' })), create(table), remove(chain('nowhere'))]
      await expect(nft.apply([add(chain('new')), ...wrong])).rejects.toMatchObject({
        code: 'ENOENT',
        operation: 'nft add rule inet t x accept',
      })
    })
  },
)
