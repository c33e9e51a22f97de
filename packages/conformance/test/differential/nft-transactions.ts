import type {
  NftChain,
  NftCommand,
  NftExpression,
  NftKey,
  NftMap,
  NftMapping,
  NftObject,
  NftRule,
  NftSet,
} from '@podfabric/kernel'
import type { Scenario } from '@podfabric/kernel/testing'
import fc from 'fast-check'

/** Few names, so that transactions meet what is there, and what is not. */
const place = fc.constantFrom({ family: 'inet', table: 't' } as const, { family: 'ip', table: 't' } as const)
type Place = { readonly family: 'inet' | 'ip'; readonly table: string }
const chainName = fc.constantFrom('a', 'b', 'f', 'n')
const setName = fc.constantFrom('s', 'r', 'v', 'w', 'd', 'one')

const chains: Readonly<Record<string, NftChain['base']>> = {
  f: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
  n: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' },
}
const service = ['ipv4_addr', 'inet_proto', 'inet_service'] as const
const sets: Readonly<Record<string, (at: Place) => NftSet | NftMap>> = {
  s: (at) => ({ kind: 'set', ...at, name: 's', type: ['ipv4_addr', 'inet_service'] }),
  r: (at) => ({ kind: 'set', ...at, name: 'r', type: service, interval: true }),
  v: (at) => ({ kind: 'map', ...at, name: 'v', type: service, to: 'verdict' }),
  w: (at) => ({ kind: 'map', ...at, name: 'w', type: 'inet_service', to: 'verdict', interval: true }),
  d: (at) => ({ kind: 'map', ...at, name: 'd', type: service, to: ['ipv4_addr', 'inet_service'] }),
  one: (at) => ({ kind: 'map', ...at, name: 'one', type: 'mark', to: 'ipv4_addr' }),
}

const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.255')
const protocol = fc.constantFrom('tcp', 'udp')
const port = fc.constantFrom(1, 80, 81, 65535)
const ports = fc.oneof(port, fc.constantFrom('1-9', '5-20', '10-20', '80-81', '60000-65535'))
const addresses = fc.oneof(address, fc.constantFrom('10.0.0.0/24', '10.0.0.0/8', '10.0.0.1-10.0.0.5'))
const verdict = fc.oneof(
  fc.constantFrom(
    { verdict: 'accept' } as const,
    { verdict: 'drop' } as const,
    { verdict: 'return' } as const,
  ),
  chainName.map((jump) => ({ jump })),
  chainName.map((to) => ({ goto: to })),
)
const keys: Readonly<Record<string, fc.Arbitrary<NftKey>>> = {
  s: fc.tuple(address, port),
  r: fc.tuple(addresses, protocol, ports),
  v: fc.tuple(address, protocol, port),
  w: ports,
  d: fc.tuple(address, protocol, port),
  one: fc.constantFrom(0, 1, 0xffff_ffff),
}
const values: Readonly<Record<string, fc.Arbitrary<NftMapping['to']>>> = {
  v: verdict,
  w: verdict,
  d: fc.tuple(address, port),
  one: address,
}

function elements(at: Place): fc.Arbitrary<Extract<NftObject, { readonly kind: 'elements' }>> {
  const of = (name: string): fc.Arbitrary<Extract<NftObject, { readonly kind: 'elements' }>> => {
    const key = keys[name] ?? fc.constant(0)
    const value = values[name]
    if (value === undefined) {
      return fc
        .array(key, { minLength: 1, maxLength: 3 })
        .map((list) => ({ kind: 'elements', ...at, set: name, elements: list }))
    }
    return fc
      .array(fc.record({ key, to: value }), { minLength: 1, maxLength: 3 })
      .map((list) => ({ kind: 'elements', ...at, map: name, elements: list }))
  }
  return setName.chain(of)
}

const fields = ['ip daddr', 'meta l4proto', 'th dport'] as const
const matches = fc.constantFrom<NftExpression>(
  { match: ['ip saddr', 'tcp dport'], value: { set: 's' } },
  { match: fields, op: '!=', value: { set: 'r' } },
  { match: fields, value: { set: 'v' } },
  { match: 'meta mark', mask: 0xf0, value: 0x10 },
  { match: 'meta mark', mask: 0xf0, op: '!=', value: 0x30 },
  { match: ['meta l4proto', 'th dport'], value: [['tcp', 80]] },
  { match: 'ip saddr', value: '10.0.0.0/8' },
  { match: 'udp dport', value: [53, 80] },
)
const ends = fc.oneof(
  verdict,
  fc.constantFrom<NftExpression>(
    { vmap: { key: fields, map: 'v' } },
    { vmap: { key: 'tcp dport', map: 'w' } },
    { vmap: { key: 'tcp dport', map: 'd' } },
    { dnat: { family: 'ip', key: fields, map: 'd' } },
    { dnat: { family: 'ip', key: 'meta mark', map: 'one' } },
    {
      vmap: {
        key: 'meta l4proto',
        map: [
          { key: 'tcp', to: { jump: 'a' } },
          { key: 'udp', to: { goto: 'b' } },
        ],
      },
    },
    { setMark: 0x10, mask: 0xf0 },
    { setMark: 0x100, mask: 0xf0 },
  ),
)

function rule(at: Place): fc.Arbitrary<NftRule> {
  return fc
    .record({ chain: chainName, before: fc.array(matches, { maxLength: 1 }), end: ends })
    .map(({ before, chain, end }) => ({ kind: 'rule', ...at, chain, expressions: [...before, end] }))
}

const verb = fc.constantFrom('add', 'add', 'add', 'create')

const command: fc.Arbitrary<NftCommand> = place.chain((at) => {
  const table = { kind: 'table', family: at.family, name: at.table } as const
  const chain = chainName.map((name): NftChain => {
    const base = chains[name]
    return { kind: 'chain', ...at, name, ...(base === undefined ? {} : { base }) }
  })
  const set = setName.map((name) => (sets[name] as (of: Place) => NftSet | NftMap)(at))
  const deleted = (object: fc.Arbitrary<Extract<NftCommand, { readonly verb: 'delete' }>['object']>) =>
    object.map((one): NftCommand => ({ verb: 'delete', object: one }))
  const made = (object: fc.Arbitrary<NftObject>) =>
    fc.tuple(verb, object).map(([how, one]): NftCommand => ({ verb: how as 'add' | 'create', object: one }))
  return fc.oneof(
    { weight: 1, arbitrary: made(fc.constant(table)) },
    { weight: 1, arbitrary: deleted(fc.constant(table)) },
    { weight: 4, arbitrary: made(chain) },
    { weight: 3, arbitrary: deleted(chain) },
    { weight: 4, arbitrary: made(set) },
    { weight: 3, arbitrary: deleted(set) },
    { weight: 8, arbitrary: made(elements(at)) },
    { weight: 5, arbitrary: deleted(elements(at)) },
    { weight: 8, arbitrary: rule(at).map((one): NftCommand => ({ verb: 'add', object: one })) },
    { weight: 2, arbitrary: chain.map((one): NftCommand => ({ verb: 'flush', object: one })) },
    { weight: 1, arbitrary: set.map((one): NftCommand => ({ verb: 'flush', object: one })) },
    { weight: 1, arbitrary: fc.constant<NftCommand>({ verb: 'flush', object: table }) },
  )
})

/** A table with all that the names stand for, nothing in its sets, and no rules. */
function furnished(at: Place): readonly NftCommand[] {
  const objects: readonly NftObject[] = [
    { kind: 'table', family: at.family, name: at.table },
    ...['a', 'b', 'f', 'n'].map((name): NftChain => {
      const base = chains[name]
      return { kind: 'chain', ...at, name, ...(base === undefined ? {} : { base }) }
    }),
    ...Object.values(sets).map((set) => set(at)),
  ]
  return objects.map((object) => ({ verb: 'add', object }))
}

/** Transactions of nftables in one namespace. */
export const nftScenario: fc.Arbitrary<Scenario> = fc
  .record({
    bare: fc.constantFrom(false, false, true),
    transactions: fc.array(fc.array(command, { minLength: 1, maxLength: 4, size: 'max' }), {
      minLength: 1,
      maxLength: 10,
      size: 'max',
    }),
  })
  .map(({ bare, transactions }) => ({
    namespaces: ['a'],
    steps: [...(bare ? [] : [furnished({ family: 'inet', table: 't' })]), ...transactions].map(
      (commands) => ({
        at: 'a',
        operation: { op: 'nft.apply', commands } as const,
      }),
    ),
    lookups: [],
    sysctls: [],
  }))
