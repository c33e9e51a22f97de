import {
  KernelError,
  type NftBase,
  type NftChain,
  type NftElements,
  type NftExpression,
  type NftFamily,
  type NftField,
  type NftKeyType,
  type NftObject,
  type NftRule,
  type NftSet,
  type NftTable,
  type NftValue,
} from '@podfabric/kernel'

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
type Row = { readonly [key: string]: Json }

const families: readonly string[] = ['inet', 'ip', 'ip6', 'bridge']
const keyTypes: readonly string[] = ['ipv4_addr', 'ipv6_addr', 'inet_service', 'ifname', 'mark']
const hooks: readonly string[] = ['prerouting', 'input', 'forward', 'output', 'postrouting']

/**
 * The objects in what `nft -j list ruleset` printed (libnftables-json(5)): tables, sets, elements, chains,
 * rules. What the contract has no words for is left out: other families and key types, other kinds of chains,
 * and rules with other expressions. EPROTO for what is no such output.
 */
export function readRuleset(text: string, label: string): readonly NftObject[] {
  const tables: NftTable[] = []
  const sets: (NftSet | NftElements)[] = []
  const chains: NftChain[] = []
  const rules: NftRule[] = []
  for (const item of itemsOf(text, label)) {
    const { table, set, chain, rule } = item
    if (isRow(table)) tables.push(...readTable(table))
    if (isRow(set)) sets.push(...readSet(set))
    if (isRow(chain)) chains.push(...readChain(chain))
    if (isRow(rule)) rules.push(...readRule(rule))
  }
  return [...tables, ...sets, ...chains, ...rules]
}

function itemsOf(text: string, label: string): readonly Row[] {
  let root: unknown
  try {
    root = JSON.parse(text)
  } catch (cause) {
    throw new KernelError('EPROTO', label, 'nft printed no JSON', { cause })
  }
  const items = isRow(root) ? root.nftables : undefined
  if (!Array.isArray(items)) throw new KernelError('EPROTO', label, 'nft printed no list of objects')
  return items.filter(isRow)
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function placed(row: Row): { readonly family: NftFamily; readonly table: string } | undefined {
  const { family, table } = row
  if (typeof family !== 'string' || typeof table !== 'string' || !families.includes(family)) return undefined
  return { family: family as NftFamily, table }
}

function readTable({ family, name }: Row): NftTable[] {
  if (typeof family !== 'string' || typeof name !== 'string' || !families.includes(family)) return []
  return [{ kind: 'table', family: family as NftFamily, name }]
}

function readSet(row: Row): (NftSet | NftElements)[] {
  const place = placed(row)
  const { name, type, flags, elem } = row
  if (place === undefined || typeof name !== 'string') return []
  if (typeof type !== 'string' || !keyTypes.includes(type)) return []
  const interval = flags === 'interval' || (Array.isArray(flags) && flags.includes('interval'))
  const set: NftSet = {
    kind: 'set',
    ...place,
    name,
    type: type as NftKeyType,
    ...(interval ? { interval } : {}),
  }
  const elements = Array.isArray(elem) ? elem.flatMap((one) => readValue(one) ?? []) : []
  return elements.length === 0 ? [set] : [set, { kind: 'elements', ...place, set: name, elements }]
}

function readChain(row: Row): NftChain[] {
  const place = placed(row)
  const { name, type, hook, prio, policy } = row
  if (place === undefined || typeof name !== 'string') return []
  if (hook === undefined) return [{ kind: 'chain', ...place, name }]
  if ((type !== 'filter' && type !== 'nat') || typeof hook !== 'string' || !hooks.includes(hook)) return []
  const base: NftBase = {
    type,
    hook: hook as NftBase['hook'],
    priority: typeof prio === 'number' ? prio : 0,
    policy: policy === 'drop' ? 'drop' : 'accept',
  }
  return [{ kind: 'chain', ...place, name, base }]
}

function readRule(row: Row): NftRule[] {
  const place = placed(row)
  const { chain, expr, comment, handle } = row
  if (place === undefined || typeof chain !== 'string' || !Array.isArray(expr)) return []
  const expressions: NftExpression[] = []
  for (const item of expr) {
    const expression = isRow(item) ? readExpression(item) : undefined
    if (expression === undefined) return []
    expressions.push(expression)
  }
  return [
    {
      kind: 'rule',
      ...place,
      chain,
      expressions,
      ...(typeof comment === 'string' ? { comment } : {}),
      ...(typeof handle === 'number' ? { handle } : {}),
    },
  ]
}

function readExpression(item: Row): NftExpression | undefined {
  if (isRow(item.match)) return readMatch(item.match)
  if (isRow(item.counter)) {
    const { packets, bytes } = item.counter
    return { counter: { packets: Number(packets), bytes: Number(bytes) } }
  }
  if ('accept' in item) return { verdict: 'accept' }
  if ('drop' in item) return { verdict: 'drop' }
  if ('return' in item) return { verdict: 'return' }
  if (isRow(item.jump)) return { jump: String(item.jump.target) }
  if (isRow(item.goto)) return { goto: String(item.goto.target) }
  if ('masquerade' in item) {
    const flags = isRow(item.masquerade) ? item.masquerade.flags : undefined
    const random = flags === 'random' || (Array.isArray(flags) && flags.includes('random'))
    return { masquerade: random ? { random } : {} }
  }
  if (isRow(item.snat)) return wrapped(readTarget(item.snat), (snat) => ({ snat }))
  if (isRow(item.dnat)) return wrapped(readTarget(item.dnat), (dnat) => ({ dnat }))
  if ('reject' in item)
    return { reject: isRow(item.reject) && item.reject.type === 'tcp reset' ? 'tcp reset' : 'icmp' }
  return isRow(item.mangle) ? readMangle(item.mangle) : undefined
}

function wrapped<T, U>(value: T | undefined, wrap: (value: T) => U): U | undefined {
  return value === undefined ? undefined : wrap(value)
}

function readTarget({ addr, port }: Row): { readonly address: string; readonly port?: number } | undefined {
  if (typeof addr !== 'string') return undefined
  return typeof port === 'number' ? { address: addr, port } : { address: addr }
}

function readMangle({ key, value }: Row): NftExpression | undefined {
  const isMark = isRow(key) && isRow(key.meta) && key.meta.key === 'mark'
  return isMark && typeof value === 'number' ? { setMark: value } : undefined
}

function readMatch({ op, left, right }: Row): NftExpression | undefined {
  const match = isRow(left) ? readField(left) : undefined
  const value = match === undefined || right === undefined ? undefined : readMatched(right)
  if (match === undefined || value === undefined) return undefined
  if (op === '!=') return { match, op, value }
  return op === '==' || op === 'in' ? { match, value } : undefined
}

const payloadFields: readonly string[] = [
  'ip saddr',
  'ip daddr',
  'ip6 saddr',
  'ip6 daddr',
  'tcp sport',
  'tcp dport',
  'udp sport',
  'udp dport',
]
const metaFields: Readonly<Record<string, NftField>> = {
  l4proto: 'meta l4proto',
  mark: 'meta mark',
  iifname: 'iifname',
  oifname: 'oifname',
}

function readField({ payload, meta, ct, fib }: Row): NftField | undefined {
  if (isRow(payload)) {
    const field = `${payload.protocol} ${payload.field}`
    return payloadFields.includes(field) ? (field as NftField) : undefined
  }
  if (isRow(meta)) return metaFields[String(meta.key)]
  if (isRow(ct)) return ct.key === 'state' ? 'ct state' : ct.key === 'status' ? 'ct status' : undefined
  if (isRow(fib)) return fib.result === 'type' && String(fib.flags) === 'daddr' ? 'fib daddr type' : undefined
  return undefined
}

function readMatched(right: Json): NftValue | readonly NftValue[] | { readonly set: string } | undefined {
  if (typeof right === 'string' && right.startsWith('@')) return { set: right.slice(1) }
  const list = isRow(right) && Array.isArray(right.set) ? right.set : Array.isArray(right) ? right : undefined
  if (list === undefined) return readValue(right)
  const values = list.map(readValue)
  return values.every((value) => value !== undefined) ? values : undefined
}

/** A literal, a prefix, a range, or an element with its counters. */
function readValue(value: Json): NftValue | undefined {
  if (typeof value === 'string' || typeof value === 'number') return value
  if (!isRow(value)) return undefined
  if (isRow(value.prefix)) return `${value.prefix.addr}/${value.prefix.len}`
  if (Array.isArray(value.range)) return value.range.map(String).join('-')
  return isRow(value.elem) && value.elem.val !== undefined ? readValue(value.elem.val) : undefined
}
