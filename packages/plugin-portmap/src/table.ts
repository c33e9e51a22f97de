import {
  type NftChain,
  type NftCommand,
  type NftExpression,
  type NftField,
  ownedAlias,
} from '@podfabric/kernel'
import type { Family } from './port-mapping.ts'

/**
 * One table for each family, shared by all networks of the node: a port is looked up in a map, so that neither a packet nor an ADD
 * costs more where many are published. It comes with the first attachment and goes with the last.
 *
 * | name | what it holds |
 * | --- | --- |
 * | chain `users` | nothing; each attachment's chain leads here, so that it cannot be deleted while there is one |
 * | map `claims` | who has a port of all addresses, or that some addresses of it are taken |
 * | map `claims-at` | who has a port of one address |
 * | maps `ports`, `addresses` | where such a port leads to |
 * | set `localhost` | where clients on the node's localhost may be sent |
 * | sets `hairpin-…`, `all-…` | who is masqueraded: by the link that leads to the container too, or all; for each mark bit |
 */
export const tableName = 'podfabric-portmap'

/** No rule asks `claims` and `claims-at`: they are there for who adds a key that is taken, which the kernel refuses. */
export const users = 'users'

const comment = ownedAlias('portmap')

/** Creates what is there once. EEXIST where it is. */
export function tableCommands(family: Family): readonly NftCommand[] {
  const at = { family, table: tableName } as const
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'
  const map = (
    name: string,
    type: readonly ['inet_proto', 'inet_service'] | readonly [typeof address, 'inet_proto', 'inet_service'],
    to: 'verdict' | readonly [typeof address, 'inet_service'],
  ): NftCommand => ({ verb: 'create', object: { kind: 'map', ...at, name, type, to } })
  const chain = (name: string, base?: NftChain['base']): NftCommand => ({
    verb: 'create',
    object: { kind: 'chain', ...at, name, ...(base && { base }) },
  })
  const port = ['inet_proto', 'inet_service'] as const
  const endpoint = [address, 'inet_proto', 'inet_service'] as const
  const target = [address, 'inet_service'] as const
  return [
    { verb: 'add', object: { kind: 'table', family, name: tableName } },
    chain(users),
    map('claims', port, 'verdict'),
    map('claims-at', endpoint, 'verdict'),
    map('ports', port, target),
    map('addresses', endpoint, target),
    chain('masquerade-marks'),
    chain('translate'),
    chain('prerouting', { type: 'nat', hook: 'prerouting', priority: -100 }),
    chain('output', { type: 'nat', hook: 'output', priority: -100 }),
    // Before the masquerading of networks, which knows nothing of clients behind the same link.
    chain('postrouting', { type: 'nat', hook: 'postrouting', priority: 99 }),
    ...(family === 'ip'
      ? [
          {
            verb: 'create',
            object: { kind: 'set', ...at, name: 'localhost', type: endpoint },
          } as const,
          chain('localhost-guard', { type: 'filter', hook: 'prerouting', priority: -150 }),
        ]
      : []),
    ...baseRules(family).map(({ chain, expressions }) => ruleIn(family, chain, expressions)),
  ]
}

interface BaseRule {
  readonly chain: string
  readonly expressions: readonly NftExpression[]
}

/** The rules of the table, in order. */
export function baseRules(family: Family): readonly BaseRule[] {
  const local: BaseRule['expressions'] = [{ match: 'fib daddr type', value: 'local' }, { jump: 'translate' }]
  const translate: readonly BaseRule[] = [
    { chain: 'translate', expressions: [{ jump: 'masquerade-marks' }] },
    {
      chain: 'translate',
      expressions: [{ dnat: { family, key: endpointIn(family), map: 'addresses' } }],
    },
    {
      chain: 'translate',
      expressions: [{ dnat: { family, key: ['meta l4proto', 'th dport'], map: 'ports' } }],
    },
    { chain: 'prerouting', expressions: local },
  ]
  // Linux does not route what comes from ::1 or goes there.
  if (family === 'ip6') {
    return [
      ...translate,
      { chain: 'output', expressions: [{ match: 'ip6 daddr', op: '!=', value: '::1' }, ...local] },
    ]
  }
  const fromOutside = { match: 'iifname', op: '!=', value: 'lo' } as const
  return [
    ...translate,
    { chain: 'output', expressions: local },
    {
      chain: 'postrouting',
      expressions: [
        { match: 'ip saddr', value: '127.0.0.0/8' },
        { match: endpointIn(family), value: { set: 'localhost' } },
        { masquerade: {} },
      ],
    },
    // Links with route_localnet would let others in to what listens on localhost only.
    {
      chain: 'localhost-guard',
      expressions: [fromOutside, { match: 'ip daddr', value: '127.0.0.0/8' }, { verdict: 'drop' }],
    },
    {
      chain: 'localhost-guard',
      expressions: [fromOutside, { match: 'ip saddr', value: '127.0.0.0/8' }, { verdict: 'drop' }],
    },
  ]
}

/** Sets of one mark bit: who is masqueraded when it is set, by the fields that they are keyed by. */
export function markSets(family: Family, bit: number) {
  const address = family === 'ip' ? 'ipv4_addr' : 'ipv6_addr'
  const endpoint = endpointIn(family)
  return [
    {
      name: `hairpin-${bit}`,
      type: ['ifname', 'inet_proto', 'inet_service'],
      fields: ['iifname', 'meta l4proto', 'th dport'],
    },
    {
      name: `hairpin-at-${bit}`,
      type: ['ifname', address, 'inet_proto', 'inet_service'],
      fields: ['iifname', ...endpoint],
    },
    {
      name: `all-${bit}`,
      type: ['inet_proto', 'inet_service'],
      fields: ['meta l4proto', 'th dport'],
    },
    { name: `all-at-${bit}`, type: [address, 'inet_proto', 'inet_service'], fields: endpoint },
  ] as const
}

/** Creates what one mark bit needs, once. EEXIST where it is there. */
export function markCommands(family: Family, bit: number): readonly NftCommand[] {
  const at = { family, table: tableName } as const
  const mask = 2 ** bit
  const sets = markSets(family, bit)
  return [
    ...sets.map(
      ({ name, type }): NftCommand => ({ verb: 'create', object: { kind: 'set', ...at, name, type } }),
    ),
    ...sets.map(({ name, fields }) =>
      ruleIn(family, 'masquerade-marks', [
        { match: fields, value: { set: name } },
        { setMark: mask, mask },
      ]),
    ),
    ruleIn(family, 'postrouting', [{ match: 'meta mark', mask, value: mask }, { masquerade: {} }]),
  ]
}

function ruleIn(family: Family, chain: string, expressions: readonly NftExpression[]): NftCommand {
  return {
    verb: 'add',
    object: { kind: 'rule', family, table: tableName, chain, expressions, comment },
  }
}

function endpointIn(family: Family): readonly [NftField, NftField, NftField] {
  return [family === 'ip' ? 'ip daddr' : 'ip6 daddr', 'meta l4proto', 'th dport']
}
