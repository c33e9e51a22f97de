import assert from 'node:assert/strict'
import { ip } from '@podfabric/netaddr'
import type { Errno } from '../error.ts'
import type { NftCommand, NftObject, NftRule } from '../nft.ts'
import { bytes, type CaseBody, ping, refuses } from './bed.ts'
import { routed } from './topology.ts'

const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
const place = { family: 'inet', table: 'test' } as const
const table = { kind: 'table', family: 'inet', name: 'test' } as const
const forward = {
  kind: 'chain',
  ...place,
  name: 'forward',
  base: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
} as const

const ruleIn = (chain: string, expressions: NftRule['expressions'], comment?: string): NftRule => ({
  kind: 'rule',
  ...place,
  chain,
  expressions,
  ...(comment === undefined ? {} : { comment }),
})

export const nftCases: readonly CaseBody[] = [
  {
    name: 'nftables objects are listed as they were given, rules with handles',
    requires: ['nft'],
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const set = { kind: 'set', ...place, name: 'pods', type: 'ipv4_addr' } as const
      const elements = {
        kind: 'elements',
        ...place,
        set: 'pods',
        elements: ['10.1.0.1', '10.1.0.2'],
      } as const
      const rules = [
        ruleIn('forward', [{ match: 'ct state', value: ['established', 'related'] }, { verdict: 'accept' }]),
        ruleIn(
          'forward',
          [
            { match: 'ip saddr', value: { set: 'pods' } },
            { match: 'ip daddr', op: '!=', value: '10.0.0.0/8' },
            { match: 'tcp dport', value: [80, 443] },
            { verdict: 'drop' },
          ],
          'podfabric: a test',
        ),
        ruleIn('forward', [{ match: 'iifname', value: 'eth0' }, { jump: 'other' }]),
      ]
      const other = { kind: 'chain', ...place, name: 'other' } as const
      await at.nft.apply([add(table), add(set), add(elements), add(other), add(forward), ...rules.map(add)])
      const listed = await at.nft.list()
      assert.deepEqual(listed[0], table)
      assert.deepEqual(
        listed.find((object) => object.kind === 'chain' && object.name === 'forward'),
        forward,
      )
      assert.deepEqual(
        listed.find((object) => object.kind === 'chain' && object.name === 'other'),
        other,
      )
      assert.deepEqual(
        listed.find((object) => object.kind === 'set'),
        set,
      )
      assert.deepEqual(
        listed.find((object) => object.kind === 'elements'),
        elements,
      )
      const seen = listed.filter((object) => object.kind === 'rule')
      assert.deepEqual(
        seen.map(({ handle, ...rest }) => rest),
        rules,
      )
      assert.equal(new Set(seen.map((rule) => rule.handle)).size, 3)
    },
  },
  {
    name: 'an nftables transaction applies whole or not at all',
    requires: ['nft'],
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const bad = ruleIn('nowhere', [{ verdict: 'accept' }])
      await refuses('ENOENT', at.nft.apply([add(table), add(forward), add(bad)]))
      assert.deepEqual(await at.nft.list(), [])
      await at.nft.apply([add(table)])
      await refuses('EEXIST', at.nft.apply([{ verb: 'create', object: table }]))
      await at.nft.apply([{ verb: 'delete', object: table }])
      assert.deepEqual(await at.nft.list(), [])
    },
  },
  {
    name: 'an interval of a set overlaps with no other, and is deleted only as it was added',
    requires: ['nft'],
    async run(bed) {
      const { at } = await bed.namespace(await bed.node(), 'pod')
      const set = { kind: 'set', ...place, name: 'ports', type: 'inet_service', interval: true } as const
      const ports = (...elements: string[]) =>
        ({ kind: 'elements', ...place, set: 'ports', elements }) as const
      const there = ports('10-20', '21-30', '40-50')
      await at.nft.apply([add(table), add(set), add(there), add(ports('40-50'))])
      const refused = async (code: Errno, verb: 'add' | 'create' | 'delete', ...values: string[]) => {
        await refuses(code, at.nft.apply([add(ports('100-110')), { verb, object: ports(...values) }]))
        assert.deepEqual(await at.nft.list(), [table, set, there])
      }
      await refused('EEXIST', 'create', '40-50')
      for (const value of ['45-60', '35-45', '42-45', '42', '35-60', '40-45', '40-60', '45-50', '10-30']) {
        await refused('EEXIST', 'add', value)
      }
      await refused('EEXIST', 'add', '200-210', '205-220')
      for (const value of ['40-45', '45-50', '42-45', '42', '10-30', '10-50', '60', '35-50']) {
        await refused('ENOENT', 'delete', value)
      }
      await at.nft.apply([{ verb: 'delete', object: ports('10-20') }, add(ports('15-20'))])
      assert.deepEqual(await at.nft.list(), [table, set, ports('15-20', '21-30', '40-50')])
    },
  },
  {
    name: 'a rule that drops in forward stops what it matches, until it is deleted by its handle',
    requires: ['nft'],
    async run(bed) {
      const { router, a } = await routed(bed)
      const drop = ruleIn('forward', [{ match: 'ip daddr', value: '10.2.0.1' }, { verdict: 'drop' }])
      await router.at.nft.apply([add(table), add(forward), add(drop)])
      const echo = { destination: ip('10.2.0.1'), timeout: 300 }
      assert.equal((await a.at.sockets.echo(echo)).kind, 'timeout')
      assert.equal((await ping(a, 'fd02::1')).kind, 'reply')
      const rule = (await router.at.nft.list()).find((object) => object.kind === 'rule')
      assert(rule !== undefined)
      await router.at.nft.apply([{ verb: 'delete', object: rule }])
      assert.equal((await a.at.sockets.echo(echo)).kind, 'reply')
    },
  },
  {
    name: 'masquerade makes the receiver see the router',
    requires: ['nft'],
    async run(bed) {
      const { router, a, b } = await routed(bed)
      const chain = {
        kind: 'chain',
        ...place,
        name: 'post',
        base: { type: 'nat', hook: 'postrouting', priority: 100 },
      } as const
      const rule = ruleIn('post', [{ match: 'oifname', value: 'to-b' }, { masquerade: {} }])
      await router.at.nft.apply([add(table), add(chain), add(rule)])
      const server = bed.keep(await b.at.sockets.udp({ address: ip('10.2.0.1'), port: 9 }))
      const client = bed.keep(await a.at.sockets.udp())
      await client.send(bytes('hello'), server.local)
      const got = await bed.within('the datagram', (signal) => server.receive({ signal }))
      assert.equal(got.from.address, '10.2.0.254')
      await server.send(bytes('back'), got.from)
      const back = await bed.within('the answer', (signal) => client.receive({ signal }))
      assert.deepEqual(back.from, { address: '10.2.0.1', port: 9 })
    },
  },
  {
    name: 'a connection with translated addresses is tracked, found by filter and forgotten on demand',
    requires: ['nft', 'conntrack'],
    async run(bed) {
      const { router, a, b } = await routed(bed)
      const chain = {
        kind: 'chain',
        ...place,
        name: 'pre',
        base: { type: 'nat', hook: 'prerouting', priority: -100 },
      } as const
      const rule = ruleIn('pre', [
        { match: 'ip daddr', value: '10.96.0.1' },
        { match: 'udp dport', value: 80 },
        { dnat: { address: '10.2.0.1', port: 8080 } },
      ])
      await router.at.nft.apply([add(table), add(chain), add(rule)])
      const server = bed.keep(await b.at.sockets.udp({ address: ip('10.2.0.1'), port: 8080 }))
      const client = bed.keep(await a.at.sockets.udp({ address: ip('10.1.0.1'), port: 5000 }))
      await client.send(bytes('hello'), { address: ip('10.96.0.1'), port: 80 })
      const got = await bed.within('the datagram', (signal) => server.receive({ signal }))
      assert.deepEqual(got.from, { address: '10.1.0.1', port: 5000 })
      const filter = { protocol: 'udp', original: { destination: ip('10.96.0.1') } } as const
      const entries = await router.at.conntrack.list(filter)
      assert.equal(entries.length, 1)
      assert.deepEqual(entries[0], {
        protocol: 'udp',
        original: {
          source: '10.1.0.1',
          destination: '10.96.0.1',
          sourcePort: 5000,
          destinationPort: 80,
        },
        reply: { source: '10.2.0.1', destination: '10.1.0.1', sourcePort: 8080, destinationPort: 5000 },
        confirmedByReply: false,
        mark: 0,
      })
      await server.send(bytes('back'), got.from)
      const back = await bed.within('the answer', (signal) => client.receive({ signal }))
      assert.deepEqual(back.from, { address: '10.96.0.1', port: 80 })
      assert.equal((await router.at.conntrack.list(filter))[0]?.confirmedByReply, true)
      assert.equal(await router.at.conntrack.delete(filter), 1)
      assert.deepEqual(await router.at.conntrack.list(filter), [])
    },
  },
]
