// What one packet costs that a map of verdicts is asked about: with 10,000 elements beside 10.
import type { NftCommand, NftExpression, NftMapping, NftObject } from '@podfabric/kernel'
import { compare } from '../../netaddr/bench/ratio.ts'
import type { Netfilter } from '../src/netfilter.ts'
import { router, udpPacket } from '../test/netfilter-bed.ts'

const place = { family: 'inet', table: 't' } as const
const type = ['ipv4_addr', 'inet_proto', 'inet_service'] as const
const key = ['ip daddr', 'meta l4proto', 'th dport'] as const
const add = (object: NftObject): NftCommand => ({ verb: 'add', object })
const mapped = (count: number, to: (i: number) => NftMapping['to']): readonly NftMapping[] =>
  Array.from({ length: count }, (_, i) => ({
    key: [`10.96.${(i >> 8) & 255}.${i & 255}`, 'udp', 53],
    to: to(i),
  }))

/** A chain at forward with one rule, and a map that it asks. */
function ruleset(map: NftObject, elements: NftObject, expressions: readonly NftExpression[]): Netfilter {
  const { rules } = router()
  const base = { type: 'filter', hook: 'forward', priority: 0 } as const
  rules.apply([
    add({ kind: 'table', family: 'inet', name: 't' }),
    add({ kind: 'chain', ...place, name: 'other' }),
    add({ kind: 'chain', ...place, name: 'c', base }),
    add(map),
    add(elements),
    add({ kind: 'rule', ...place, chain: 'c', expressions }),
  ])
  return rules
}

function verdicts(count: number): Netfilter {
  return ruleset(
    { kind: 'map', ...place, name: 'm', type, to: 'verdict' },
    { kind: 'elements', ...place, map: 'm', elements: mapped(count, () => ({ jump: 'other' })) },
    [{ vmap: { key, map: 'm' } }],
  )
}

function dispatch(count: number) {
  const rules = verdicts(count)
  const packet = udpPacket({ from: '10.1.0.1', to: '10.96.0.5' })
  const site = { input: 'in', output: 'out' }
  return {
    name: `${count} elements`,
    run(times: number): number {
      let accepted = 0
      for (let i = 0; i < times; i++) if (rules.hook(packet, 'forward', site).verdict === 'accept') accepted++
      return accepted
    },
  }
}

compare('a packet that a map of verdicts is asked about', [dispatch(10_000), dispatch(10)])
