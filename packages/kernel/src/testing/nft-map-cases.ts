import assert from 'node:assert/strict'
import { ip } from '@podfabric/netaddr'
import type { Errno } from '../error.ts'
import type { NftChain, NftCommand, NftExpression, NftMap, NftMapping, NftObject, NftRule } from '../nft.ts'
import { type Bed, bytes, type CaseBody, type Place, refuses } from './bed.ts'
import { routed } from './topology.ts'

const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
const remove = (object: Extract<NftCommand, { readonly verb: 'delete' }>['object']): NftCommand => ({
  verb: 'delete',
  object,
})
const place = { family: 'inet', table: 'test' } as const
const table = { kind: 'table', family: 'inet', name: 'test' } as const
const chain = (name: string): NftChain => ({ kind: 'chain', ...place, name })
const hooked = (
  name: string,
  type: 'filter' | 'nat',
  hook: 'prerouting' | 'forward',
  priority: number,
): NftChain => ({ kind: 'chain', ...place, name, base: { type, hook, priority, policy: 'accept' } })
const ruleIn = (of: string, ...expressions: NftExpression[]): NftRule => ({
  kind: 'rule',
  ...place,
  chain: of,
  expressions,
})
const map = (name: string, type: NftMap['type'], to: NftMap['to'], interval = false): NftMap => ({
  kind: 'map',
  ...place,
  name,
  type,
  to,
  ...(interval ? { interval } : {}),
})
const elements = (name: string, ...list: NftMapping[]) =>
  ({ kind: 'elements', ...place, map: name, elements: list }) as const

const service = ['ip daddr', 'meta l4proto', 'th dport'] as const
const serviceType = ['ipv4_addr', 'inet_proto', 'inet_service'] as const
const verdicts = map('verdicts', serviceType, 'verdict')
const targets = map('targets', serviceType, ['ipv4_addr', 'inet_service'])
const ports = map('ports', 'inet_service', 'verdict', true)
const held = elements('verdicts', { key: ['10.0.0.1', 'tcp', 80], to: { jump: 'a' } })

export const nftMapCases: readonly CaseBody[] = [
  {
    name: 'maps and concatenations are listed as they were given, elements in order of their keys',
    requires: ['nft'],
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const set = { kind: 'set', ...place, name: 'pairs', type: ['ifname', 'mark'] } as const
      const ranges = {
        kind: 'set',
        ...place,
        name: 'r',
        type: ['ipv6_addr', 'inet_service'],
        interval: true,
      } as const
      const objects: NftObject[] = [
        table,
        set,
        {
          kind: 'elements',
          ...place,
          set: 'pairs',
          elements: [
            ['eth0', 7],
            ['eth1', 1],
            ['eth1', 300],
          ],
        },
        ranges,
        {
          kind: 'elements',
          ...place,
          set: 'r',
          elements: [
            ['fd00::/64', '80-90'],
            ['fd01::1-fd01::5', 53],
          ],
        },
        verdicts,
        elements(
          'verdicts',
          { key: ['10.0.0.1', 'icmp', 0], to: { verdict: 'return' } },
          { key: ['10.0.0.1', 'tcp', 80], to: { jump: 'a' } },
          { key: ['10.0.0.1', 'udp', 80], to: { goto: 'b' } },
          { key: ['10.0.0.2', 'tcp', 1], to: { verdict: 'drop' } },
        ),
        targets,
        elements('targets', { key: ['10.0.0.1', 'tcp', 80], to: ['10.1.0.1', 8080] }),
        ports,
        elements(
          'ports',
          { key: '1-9', to: { verdict: 'accept' } },
          { key: 10, to: { jump: 'a' } },
          { key: '11-65535', to: { verdict: 'drop' } },
        ),
        chain('a'),
        chain('b'),
        hooked('pre', 'nat', 'prerouting', -100),
      ]
      const rules = [
        ruleIn('pre', { match: ['ip6 daddr', 'th dport'], op: '!=', value: { set: 'r' } }),
        ruleIn('pre', { match: ['iifname', 'meta mark'], value: { set: 'pairs' } }, { verdict: 'accept' }),
        ruleIn('pre', {
          match: ['meta l4proto', 'th dport'],
          value: [
            ['tcp', 80],
            ['udp', 53],
          ],
        }),
        ruleIn('pre', { vmap: { key: service, map: 'verdicts' } }),
        ruleIn('pre', { vmap: { key: 'th sport', map: 'ports' } }),
        ruleIn('pre', { dnat: { family: 'ip', key: service, map: 'targets' } }),
        ruleIn(
          'pre',
          { match: 'meta mark', mask: 0xc000, op: '!=', value: 0x4000 },
          { setMark: 1, mask: 255 },
        ),
        ruleIn('pre', {
          vmap: {
            key: 'numgen random mod 2',
            map: [
              { key: 0, to: { jump: 'a' } },
              { key: 1, to: { verdict: 'accept' } },
            ],
          },
        }),
      ]
      const isElements = ({ kind }: NftObject) => kind === 'elements'
      await at.nft.apply([
        ...objects.filter((object) => !isElements(object)).map(add),
        ...objects.filter(isElements).toReversed().map(add),
        ...rules.map(add),
      ])
      const listed = await at.nft.list()
      const plain = listed.filter(({ kind }) => kind !== 'rule')
      assert.deepEqual(plain, objects)
      const seen = listed.filter((object) => object.kind === 'rule')
      assert.deepEqual(
        seen.map(({ handle, ...rest }) => rest),
        rules,
      )
    },
  },
  {
    name: 'an element of a map has one value, and holds the chain that it leads to',
    requires: ['nft'],
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const base = hooked('pre', 'filter', 'prerouting', 0)
      const asking = ruleIn('pre', { vmap: { key: service, map: 'verdicts' } })
      await at.nft.apply(
        [table, chain('a'), chain('b'), base, verdicts, targets, ports, held, asking].map(add),
      )
      const before = await at.nft.list()
      const key = ['10.0.0.1', 'tcp', 80] as const
      const refused: (readonly [Errno, NftCommand])[] = [
        ['EBUSY', remove(chain('a'))],
        ['EBUSY', remove(verdicts)],
        ['EEXIST', { verb: 'create', object: held }],
        ['EEXIST', add(elements('verdicts', { key, to: { jump: 'b' } }))],
        ['EEXIST', add(elements('verdicts', { key, to: { verdict: 'accept' } }))],
        ['EEXIST', add({ ...verdicts, to: 'mark' })],
        ['EEXIST', add({ kind: 'set', ...place, name: 'verdicts', type: serviceType })],
        ['ENOENT', add(elements('verdicts', { key: ['10.0.0.2', 'tcp', 1], to: { jump: 'nowhere' } }))],
        ['EOPNOTSUPP', add(elements('verdicts', { key: ['10.0.0.2', 'tcp', 1], to: { goto: 'pre' } }))],
        ['ENOENT', add(elements('nowhere', { key: 1, to: 2 }))],
        ['ENOENT', remove(elements('verdicts', { key: ['10.0.0.1', 'tcp', 81], to: { jump: 'a' } }))],
        ['ENOENT', remove({ ...verdicts, name: 'nowhere' })],
        ['EINVAL', add(elements('verdicts', { key: ['10.0.0.1', 'tcp'], to: { jump: 'a' } }))],
        ['EINVAL', add(elements('verdicts', { key: ['10.0.0.1', 'tcp', 81], to: 5 }))],
        ['EINVAL', add(elements('targets', { key: ['10.0.0.1', 'tcp', 81], to: { verdict: 'drop' } }))],
        ['EINVAL', add(elements('targets', { key: ['10.0.0.1', 'tcp', '1-2'], to: ['10.0.0.1', 80] }))],
        ['EINVAL', add(elements('targets', { key: ['10.0.0.1', 'tcp', 81], to: ['10.0.0.0/8', 80] }))],
        ['EINVAL', add({ kind: 'elements', ...place, set: 'targets', elements: [key] })],
        ['EINVAL', add(ruleIn('a', { vmap: { key: service, map: 'targets' } }))],
        ['EINVAL', add(ruleIn('a', { vmap: { key: 'ip daddr', map: 'verdicts' } }))],
        ['EINVAL', add(ruleIn('a', { dnat: { family: 'ip', key: service, map: 'verdicts' } }))],
        ['EINVAL', add(ruleIn('a', { dnat: { family: 'ip6', key: service, map: 'targets' } }))],
        ['EINVAL', add(ruleIn('a', { match: ['ip saddr', 'ip6 saddr'], value: [['10.0.0.1', 'fd00::1']] }))],
        ['EINVAL', add(ruleIn('a', { match: 'meta mark', mask: 1, value: 2 }))],
        ['EINVAL', add(ruleIn('a', { setMark: 3, mask: 1 }))],
        ['EOPNOTSUPP', add(ruleIn('pre', { dnat: { family: 'ip', key: service, map: 'targets' } }))],
      ]
      for (const [code, command] of refused) {
        await refuses(code, at.nft.apply([add(chain('new')), command]))
        assert.deepEqual(await at.nft.list(), before)
      }
      await at.nft.apply([add(held)])
      assert.deepEqual(await at.nft.list(), before)
      const other = elements('verdicts', { key, to: { jump: 'b' } })
      await at.nft.apply([remove({ ...held, elements: [{ key }] }), add(other), remove(chain('a'))])
      assert.deepEqual(
        (await at.nft.list()).filter(({ kind }) => kind === 'elements'),
        [other],
      )
      await refuses('EBUSY', at.nft.apply([remove(chain('b'))]))
      await at.nft.apply([{ verb: 'flush', object: verdicts }, remove(chain('b'))])
    },
  },
  {
    name: 'an interval of a map overlaps with no other',
    requires: ['nft'],
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const drop = { verdict: 'drop' } as const
      const there = elements('ports', { key: '10-20', to: drop }, { key: '21-30', to: { verdict: 'accept' } })
      await at.nft.apply([add(table), add(ports), add(there), add(there)])
      for (const key of ['15-25', '20-21', '5-10', 15, '10-30']) {
        await refuses('EEXIST', at.nft.apply([add(elements('ports', { key, to: drop }))]))
        await refuses('ENOENT', at.nft.apply([remove(elements('ports', { key, to: drop }))]))
      }
      await refuses(
        'EEXIST',
        at.nft.apply([add(elements('ports', { key: '10-20', to: { verdict: 'accept' } }))]),
      )
      assert.deepEqual(await at.nft.list(), [table, ports, there])
    },
  },
  {
    name: 'a map of verdicts decides for each packet, and packets that it has nothing for go on',
    requires: ['nft'],
    async run(bed) {
      const { router, a, b } = await routed(bed)
      const accept = { verdict: 'accept' } as const
      await router.at.nft.apply([
        add(table),
        add(chain('odd')),
        add(chain('marked')),
        add(hooked('forward', 'filter', 'forward', 0)),
        add(verdicts),
        add(ports),
        add(
          elements(
            'verdicts',
            { key: ['10.2.0.1', 'udp', 1001], to: { jump: 'odd' } },
            { key: ['10.2.0.1', 'udp', 1002], to: accept },
            { key: ['10.2.0.1', 'udp', 1004], to: { goto: 'odd' } },
            { key: ['10.2.0.1', 'udp', 1006], to: { verdict: 'return' } },
          ),
        ),
        add(
          elements(
            'ports',
            { key: '1000-1099', to: { verdict: 'drop' } },
            { key: 1100, to: { jump: 'marked' } },
          ),
        ),
        add(ruleIn('odd', { match: 'udp sport', value: 5 }, accept)),
        add(ruleIn('odd', { setMark: 0x10, mask: 0xf0 })),
        add(ruleIn('marked', { match: 'meta mark', mask: 0xff, value: 0x10 }, accept)),
        add(ruleIn('marked', { verdict: 'drop' })),
        add(ruleIn('forward', { vmap: { key: service, map: 'verdicts' } })),
        add(
          ruleIn(
            'forward',
            { match: 'meta mark', mask: 0xf0, value: 0x10 },
            { setMark: 0, mask: 0xf0 },
            accept,
          ),
        ),
        add(ruleIn('forward', { vmap: { key: 'th dport', map: 'ports' } })),
      ])
      const passed = [1001, 1002, 1004, 1006, 1200]
      assert.deepEqual(await arrivals(bed, a, b, [1001, 1002, 1003, 1004, 1005, 1006, 1100, 1200]), passed)
    },
  },
  {
    name: 'concatenations with prefixes and ranges match what lies in all of them',
    requires: ['nft'],
    async run(bed) {
      const { router, a, b } = await routed(bed)
      const set = {
        kind: 'set',
        ...place,
        name: 'allowed',
        type: ['ipv4_addr', 'inet_proto', 'inet_service'],
        interval: true,
      } as const
      await router.at.nft.apply([
        add(table),
        add(set),
        add({
          kind: 'elements',
          ...place,
          set: 'allowed',
          elements: [
            ['10.2.0.0/24', 'udp', '1001-1002'],
            ['10.2.0.1', 'udp', 9],
            ['10.2.0.1-10.2.0.9', 'udp', 1004],
            ['10.3.0.0/16', 'udp', '1-2000'],
            ['10.2.0.0/16', 'tcp', '1-2000'],
          ],
        }),
        add(hooked('forward', 'filter', 'forward', 0)),
        add(
          ruleIn(
            'forward',
            { match: 'meta l4proto', value: 'udp' },
            { match: service, op: '!=', value: { set: 'allowed' } },
            { verdict: 'drop' },
          ),
        ),
      ])
      assert.deepEqual(await arrivals(bed, a, b, [1000, 1001, 1002, 1003, 1004, 1005]), [1001, 1002, 1004])
    },
  },
  {
    name: 'a map gives the address and port that a connection is sent to',
    requires: ['nft', 'conntrack'],
    async run(bed) {
      const { router, a, b } = await routed(bed)
      await router.at.nft.apply([
        add(table),
        add(targets),
        add(hooked('pre', 'nat', 'prerouting', -100)),
        add(
          elements(
            'targets',
            { key: ['10.96.0.1', 'udp', 53], to: ['10.2.0.1', 5353] },
            { key: ['10.96.0.1', 'tcp', 53], to: ['10.2.0.1', 1] },
          ),
        ),
        add(ruleIn('pre', { dnat: { family: 'ip', key: service, map: 'targets' } })),
      ])
      const server = bed.keep(await b.at.sockets.udp({ address: ip('10.2.0.1'), port: 5353 }))
      const client = bed.keep(await a.at.sockets.udp({ address: ip('10.1.0.1'), port: 5000 }))
      await client.send(bytes('hello'), { address: ip('10.96.0.1'), port: 53 })
      const got = await bed.within('the datagram', (signal) => server.receive({ signal }))
      assert.deepEqual(got.from, { address: '10.1.0.1', port: 5000 })
      await server.send(bytes('back'), got.from)
      const back = await bed.within('the answer', (signal) => client.receive({ signal }))
      assert.deepEqual(back.from, { address: '10.96.0.1', port: 53 })
    },
  },
]

/** Sends a datagram to each port, then one to port 9, which the rules let through: those that came before that one. */
async function arrivals(
  bed: Bed,
  from: Place,
  to: Place,
  sent: readonly number[],
): Promise<readonly number[]> {
  const address = ip('10.2.0.1')
  const sockets = new Map<number, Awaited<ReturnType<typeof to.at.sockets.udp>>>()
  for (const port of [...sent, 9]) sockets.set(port, bed.keep(await to.at.sockets.udp({ address, port })))
  const client = bed.keep(await from.at.sockets.udp({ address: ip('10.1.0.1'), port: 5000 }))
  for (const port of [...sent, 9]) await client.send(bytes('x'), { address, port })
  const receive = (port: number, limit?: number) =>
    bed.within(
      `a datagram at ${port}`,
      (signal) => sockets.get(port)?.receive({ signal }) ?? Promise.reject(),
      limit,
    )
  await receive(9)
  const came = await Promise.all(
    sent.map((port) =>
      receive(port, 300).then(
        () => port,
        () => undefined,
      ),
    ),
  )
  return came.filter((port) => port !== undefined)
}
