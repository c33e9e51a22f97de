import type {
  NftBase,
  NftChain,
  NftElements,
  NftExpression,
  NftFamily,
  NftField,
  NftKeyType,
  NftObject,
  NftRule,
  NftSet,
  NftTable,
  NftValue,
} from '@podfabric/kernel'
import fc from 'fast-check'

type Match = Exclude<Extract<NftExpression, { readonly match: NftField }>, { readonly mask: number }>
/** A set whose keys are of one type. */
type SimpleSet = Omit<NftSet, 'type'> & { readonly type: NftKeyType }
type Kind = NftKeyType | 'inet_proto' | 'fib_addrtype' | 'ct_state' | 'ct_status'

/** One table with its sets, chains and rules, in the order in which a list has them. */
export type Ruleset = readonly [NftTable, ...NftObject[]]

const families: readonly NftFamily[] = ['ip', 'ip6', 'inet', 'bridge']
const kinds: Readonly<Record<NftField, Kind>> = {
  'ip saddr': 'ipv4_addr',
  'ip daddr': 'ipv4_addr',
  'ip6 saddr': 'ipv6_addr',
  'ip6 daddr': 'ipv6_addr',
  'tcp sport': 'inet_service',
  'tcp dport': 'inet_service',
  'udp sport': 'inet_service',
  'udp dport': 'inet_service',
  'th sport': 'inet_service',
  'th dport': 'inet_service',
  'meta l4proto': 'inet_proto',
  'meta mark': 'mark',
  iifname: 'ifname',
  oifname: 'ifname',
  'ct state': 'ct_state',
  'ct status': 'ct_status',
  'fib daddr type': 'fib_addrtype',
}

const port = fc.oneof(fc.nat(65535), fc.constantFrom(0, 1, 80, 255, 256, 65534, 65535))
const mark = fc.oneof(fc.nat(0xffff_ffff), fc.constantFrom(0, 1, 255, 256, 0x4000, 0xffff_fffe, 0xffff_ffff))
const octet = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 255))
const v4 = fc.tuple(octet, octet, octet, octet)
const word = fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 0xffff))

/** A number of the contract's, with what it is in text; `bits` wide. Zero in front makes no text. */
const address4: fc.Arbitrary<string> = v4.map((octets) => octets.join('.'))
const address6: fc.Arbitrary<string> = word.map((low) => `fd00:244::${(low || 1).toString(16)}`)
const prefix4 = fc.tuple(fc.nat(0xffff_ffff), fc.integer({ min: 1, max: 31 })).map(([number, length]) => {
  const network = (number & (~0 << (32 - length))) >>> 0
  return `${[24, 16, 8, 0].map((shift) => (network >>> shift) & 255).join('.')}/${length}`
})
const prefix6 = fc.tuple(word, fc.integer({ min: 17, max: 64 })).map(([low, length]) => {
  const third =
    length <= 32
      ? 0
      : length >= 48
        ? low | 1
        : (low | (1 << (48 - length))) & (0xffff << (48 - length)) & 0xffff
  const second = length >= 32 ? 0x0244 : 0x8000
  const head = `fd00:${second.toString(16)}`
  return `${third === 0 ? head : `${head}:${third.toString(16)}`}::/${length}`
})
const range4 = fc
  .tuple(octet, octet, fc.integer({ min: 1, max: 126 }))
  .map(([a, b, low]) => `10.${a}.${b}.${low}-10.${a}.${b}.${2 * low + 1}`)
const range6 = fc.nat(0xfff0).map((low) => `fd00::${(low + 2).toString(16)}-fd00::${(low + 7).toString(16)}`)
const portRange = fc
  .tuple(port, port)
  .filter(([a, b]) => a < b)
  .map(([a, b]) => `${a}-${b}`)
const markRange = fc
  .tuple(mark, mark)
  .filter(([a, b]) => a < b)
  .map(([a, b]) => `${a}-${b}`)
const linkName = fc.stringMatching(/^[a-z][a-z0-9.-]{0,13}[a-z0-9]$/)

const singles: Readonly<Record<Kind, fc.Arbitrary<NftValue>>> = {
  ipv4_addr: address4.filter((text) => text !== '0.0.0.0'),
  ipv6_addr: address6,
  inet_service: port,
  mark,
  ifname: linkName,
  inet_proto: fc.constantFrom('tcp', 'udp', 'icmp', 'sctp'),
  fib_addrtype: fc.constantFrom('local', 'unicast', 'broadcast', 'multicast', 'anycast'),
  ct_state: fc.constantFrom('new', 'established', 'related', 'invalid', 'untracked'),
  ct_status: fc.constantFrom('snat', 'dnat', 'assured', 'seen-reply', 'confirmed'),
}
const wide: Partial<Record<Kind, fc.Arbitrary<NftValue>>> = {
  ipv4_addr: fc.oneof(prefix4, range4),
  ipv6_addr: fc.oneof(prefix6, range6),
  inet_service: portRange,
  mark: markRange,
}
const disjoint: Partial<Record<Kind, fc.Arbitrary<readonly NftValue[]>>> = {
  ipv4_addr: fc
    .uniqueArray(fc.nat(255), { minLength: 2, maxLength: 6 })
    .map((list) =>
      list
        .sort((a, b) => a - b)
        .map((n, i) => [`10.${n}.0.0/17`, `10.${n}.3.4`, `10.${n}.0.9-10.${n}.1.4`][i % 3] as string),
    ),
  ipv6_addr: fc.uniqueArray(fc.nat(0xfff), { minLength: 2, maxLength: 6 }).map((list) =>
    list
      .map((n) => n + 0x1000)
      .sort((a, b) => a - b)
      .map((n) => n.toString(16))
      .map((n, i) => [`fd00:${n}::/33`, `fd00:${n}::5`, `fd00:${n}::9-fd00:${n}::11`][i % 3] as string),
  ),
  inet_service: numberRanges(65535),
  mark: numberRanges(0xffff_ffff),
}

/** Numbers and ranges in order, with room between them, sometimes up to the greatest. */
function numberRanges(most: number): fc.Arbitrary<readonly NftValue[]> {
  const bounds = fc.uniqueArray(fc.oneof(fc.nat(most), fc.constantFrom(0, most)), {
    minLength: 4,
    maxLength: 10,
  })
  return bounds.map((numbers) => {
    const sorted = numbers.sort((a, b) => a - b)
    const values: NftValue[] = []
    for (let i = 0; i + 1 < sorted.length; i += 2) {
      const [first = 0, last = 0, next] = sorted.slice(i, i + 3)
      const end = next === last + 1 ? last - 1 : last
      if (end >= first) values.push(end === first ? first : `${first}-${end}`)
    }
    return values
  })
}

function ordered(values: readonly NftValue[]): NftValue[] {
  const key = (value: NftValue) =>
    typeof value === 'number' ? String(value).padStart(10, '0') : addressKey(value)
  return values.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

function addressKey(text: string): string {
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(text))
    return text.includes('::')
      ? text
          .split('::')
          .map((part) => part.padStart(9, '0'))
          .join()
      : text
  return text
    .split('.')
    .map((part) => part.padStart(3, '0'))
    .join('.')
}

/** Whatever a set may hold, as a list gives it: in order, each once. */
function elementsOf({ type, interval }: SimpleSet): fc.Arbitrary<readonly NftValue[]> {
  const ranges = interval === true ? disjoint[type] : undefined
  return ranges ?? fc.uniqueArray(singles[type], { minLength: 1, maxLength: 5 }).map(ordered)
}

function listOf(kind: Kind): fc.Arbitrary<readonly NftValue[]> {
  const order = (list: NftValue[]) => {
    const names: Partial<Record<Kind, readonly string[]>> = {
      inet_proto: ['icmp', 'tcp', 'udp', 'sctp'],
      fib_addrtype: ['unicast', 'local', 'broadcast', 'anycast', 'multicast'],
      ct_state: ['invalid', 'established', 'related', 'new', 'untracked'],
      ct_status: ['seen-reply', 'assured', 'confirmed', 'snat', 'dnat'],
    }
    const known = names[kind]
    return known === undefined
      ? ordered(list)
      : list.toSorted((a, b) => known.indexOf(String(a)) - known.indexOf(String(b)))
  }
  const plain = fc.uniqueArray(singles[kind], { minLength: 2, maxLength: 4 }).map(order)
  const ranges = disjoint[kind]?.filter(
    (list) => list.length > 1 && list.some((value) => typeof value === 'string'),
  )
  return ranges === undefined || kind === 'ifname' ? plain : fc.oneof(plain, ranges)
}

function matchOf(field: NftField, sets: readonly SimpleSet[]): fc.Arbitrary<Match> {
  const kind = kinds[field]
  const patterns = kind === 'ifname' ? [linkName.map((name) => `${name.slice(0, 12)}*`)] : []
  const values: fc.Arbitrary<Match['value']>[] = [singles[kind], listOf(kind), ...patterns]
  const range = wide[kind]
  if (range !== undefined) values.push(range)
  const askable = sets.filter(({ type }) => type === kind).map(({ name }) => ({ set: name }))
  if (askable.length > 0) values.push(fc.constantFrom(...askable))
  return fc
    .tuple(fc.oneof(...values), fc.boolean())
    .map(([value, not]) => (not ? { match: field, op: '!=', value } : { match: field, value }))
}

const counter = fc
  .record({
    packets: fc.oneof(fc.nat(), fc.constant(2 ** 40)),
    bytes: fc.oneof(fc.nat(), fc.constant(2 ** 52)),
  })
  .map((counted): NftExpression => ({ counter: counted }))

/** What ends a rule, and whether the rule has to match a transport protocol before. */
function endsOf(family: NftFamily, version: 4 | 6, transport: boolean, base: NftBase | undefined) {
  const plain: fc.Arbitrary<NftExpression | undefined> = fc.constantFrom<NftExpression | undefined>(
    undefined,
    { verdict: 'accept' },
    { verdict: 'drop' },
    { verdict: 'return' },
    { jump: 'plain' },
    { goto: 'plain' },
  )
  if (base === undefined)
    return fc.constantFrom<NftExpression | undefined>(undefined, { verdict: 'return' }, { verdict: 'drop' })
  const { type, hook } = base
  if (type === 'filter') {
    // Not every kernel is built with reject for bridges.
    const rejecting = family !== 'bridge' && hook !== 'postrouting' && hook !== 'prerouting'
    return rejecting ? fc.oneof(plain, fc.constant<NftExpression>({ reject: 'icmp' })) : plain
  }
  const to = fc
    .tuple(
      version === 4 ? singles.ipv4_addr : singles.ipv6_addr,
      fc.option(
        port.filter((n) => n > 0),
        { nil: undefined },
      ),
    )
    .map(([address, wanted]) => ({
      address: String(address),
      ...(wanted === undefined || !transport ? {} : { port: wanted }),
    }))
  if (hook === 'prerouting' || hook === 'output')
    return fc.oneof(
      plain,
      to.map((dnat): NftExpression => ({ dnat })),
    )
  const snat = to.map((wanted): NftExpression => ({ snat: wanted }))
  if (hook === 'input') return fc.oneof(plain, snat)
  return fc.oneof(
    plain,
    snat,
    fc.constantFrom<NftExpression>({ masquerade: {} }, { masquerade: { random: true } }),
  )
}

function ruleOf(chain: NftChain, sets: readonly SimpleSet[]): fc.Arbitrary<NftRule> {
  const { family, table, name, base } = chain
  const versions: readonly (4 | 6)[] = family === 'ip' ? [4] : family === 'ip6' ? [6] : [4, 6]
  return fc
    .record({ version: fc.constantFrom(...versions), protocol: fc.constantFrom('tcp', 'udp', undefined) })
    .chain(({ version, protocol }) => {
      const fields: NftField[] = [
        'meta mark',
        ...(version === 4 ? (['ip saddr', 'ip daddr'] as const) : (['ip6 saddr', 'ip6 daddr'] as const)),
      ]
      if (base?.hook !== 'output') fields.push('iifname')
      if (base?.hook !== 'prerouting' && base?.hook !== 'input') fields.push('oifname')
      if (family !== 'bridge') fields.push('ct state', 'ct status', 'fib daddr type')
      const transport: NftField[] = protocol === undefined ? [] : [`${protocol}${' dport'}` as NftField]
      const other = protocol === undefined ? ['meta l4proto' as const] : [`${protocol} sport` as NftField]
      const network = fc.subarray([...fields, ...other])
      return fc
        .tuple(
          network,
          fc.array(counter, { maxLength: 1 }),
          fc.array(
            mark.map((n): NftExpression => ({ setMark: n })),
            { maxLength: 1 },
          ),
        )
        .chain(([chosen, counters, marks]) =>
          fc.tuple(
            fc.tuple(...[...chosen, ...transport].map((field) => matchOf(field, sets))),
            fc.constant(counters),
            fc.constant(marks),
            endsOf(family, version, protocol !== undefined, base),
            fc.option(
              fc
                .string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 })
                .map((text) => `mark: ${text.replaceAll(/["\\]/g, '')}`),
              { nil: undefined },
            ),
          ),
        )
    })
    .filter(
      ([matches, counters, marks, end]) =>
        matches.length + counters.length + marks.length + (end === undefined ? 0 : 1) > 0,
    )
    .map(([matches, counters, marks, end, comment]) => ({
      kind: 'rule',
      family,
      table,
      chain: name,
      expressions: [...matches, ...counters, ...marks, ...(end === undefined ? [] : [end])],
      ...(comment === undefined ? {} : { comment }),
    }))
}

function baseOf(family: NftFamily): fc.Arbitrary<NftBase> {
  const hooks = ['prerouting', 'input', 'forward', 'output', 'postrouting'] as const
  const filter = fc.record({
    type: fc.constant('filter' as const),
    hook: fc.constantFrom(...hooks),
    priority: fc.integer({ min: -400, max: 400 }),
    policy: fc.constantFrom('accept' as const, 'drop' as const),
  })
  if (family === 'bridge') return filter
  const nat = fc.record({
    type: fc.constant('nat' as const),
    hook: fc.constantFrom(...hooks.filter((hook) => hook !== 'forward')),
    priority: fc.integer({ min: -199, max: 400 }),
    policy: fc.constant('accept' as const),
  })
  return fc.oneof(filter, nat)
}

/** One table of any family. Every object is as `list` would say it, but for the handles of its rules. */
export const rulesets: fc.Arbitrary<Ruleset> = fc
  .constantFrom(...families)
  .chain((family) => {
    const place = { family, table: 'chance' } as const
    const sets = fc
      .uniqueArray(
        fc.record({
          type: fc.constantFrom<NftKeyType>('ipv4_addr', 'ipv6_addr', 'inet_service', 'ifname', 'mark'),
          interval: fc.boolean(),
        }),
        { selector: ({ type }) => type, maxLength: 4 },
      )
      .map((list) =>
        list.map(
          ({ type, interval }): SimpleSet => ({
            kind: 'set',
            ...place,
            name: `set-${type}`,
            type,
            ...(interval && type !== 'ifname' ? { interval } : {}),
          }),
        ),
      )
    const bases = fc.array(baseOf(family), { minLength: 1, maxLength: 3 })
    return fc.tuple(fc.constant(place), sets, bases)
  })
  .chain(([place, sets, bases]) => {
    const plain: NftChain = { kind: 'chain', ...place, name: 'plain' }
    const chains = [
      plain,
      ...bases.map((base, i): NftChain => ({ kind: 'chain', ...place, name: `base${i}`, base })),
    ]
    const elements = sets.map((set) =>
      elementsOf(set).map(
        (values): NftElements => ({ kind: 'elements', ...place, set: set.name, elements: values }),
      ),
    )
    const rules = chains.map((chain) => fc.array(ruleOf(chain, sets), { maxLength: 3 }))
    return fc
      .tuple(fc.tuple(...elements), fc.tuple(...rules))
      .map(
        ([filled, written]): Ruleset => [
          { kind: 'table', family: place.family, name: place.table },
          ...sets.flatMap((set, i) => [set, ...(filled[i] === undefined ? [] : [filled[i]])]),
          ...chains,
          ...written.flat(),
        ],
      )
  })
