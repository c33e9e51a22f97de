import type { NftExpression, NftFamily, NftField, NftValue } from '@podfabric/kernel'
import { ipProtocols, u16At, u32At } from '@podfabric/wire'
import { compareWords, type Interval, mergedIntervals } from './interval-table.ts'
import type { NetfilterView } from './netfilter-view.ts'
import { linkName, type SetState } from './nft-set.ts'
import { addressTypes, intervalOf, invalid, type ValueKind } from './nft-value.ts'

/** One condition of a rule, or something it does on the way; false ends the rule. */
export type Step = (view: NetfilterView) => boolean

export type NftMatch = Exclude<
  Extract<NftExpression, { readonly match: NftField }>,
  { readonly mask: number }
>

interface Field {
  readonly kind: ValueKind
  /** The IP version that it is a field of, and the transport protocol. */
  readonly family?: 4 | 6
  readonly protocol?: number
  /** Whether a packet has it. */
  readonly present: Step
  /** Its value, where that is a number of 32 bits. */
  readonly number?: (view: NetfilterView) => number
  /** Where it is in the packet, where it is 16 octets. */
  readonly place?: (view: NetfilterView) => number
  /** Its value, where that is a name. */
  readonly name?: (view: NetfilterView) => string
}

const always: Step = () => true
const isIpv4: Step = (view) => view.family === 4
const isIpv6: Step = (view) => view.family === 6

const { tcp, udp } = ipProtocols

const fields: Readonly<Record<NftField, Field>> = {
  'ip saddr': {
    kind: 'ipv4_addr',
    family: 4,
    present: isIpv4,
    number: (view) => u32At(view.bytes, view.offset + 12),
  },
  'ip daddr': {
    kind: 'ipv4_addr',
    family: 4,
    present: isIpv4,
    number: (view) => u32At(view.bytes, view.offset + 16),
  },
  'ip6 saddr': { kind: 'ipv6_addr', family: 6, present: isIpv6, place: (view) => view.offset + 8 },
  'ip6 daddr': { kind: 'ipv6_addr', family: 6, present: isIpv6, place: (view) => view.offset + 24 },
  'tcp sport': port(tcp, 0),
  'tcp dport': port(tcp, 2),
  'udp sport': port(udp, 0),
  'udp dport': port(udp, 2),
  'th sport': transportPort(0),
  'th dport': transportPort(2),
  'meta l4proto': {
    kind: 'inet_proto',
    present: (view) => view.protocol >= 0,
    number: (view) => view.protocol,
  },
  'meta mark': { kind: 'mark', present: always, number: (view) => view.packet.mark >>> 0 },
  iifname: { kind: 'ifname', present: always, name: (view) => view.input },
  oifname: { kind: 'ifname', present: always, name: (view) => view.output },
  'ct state': { kind: 'ct_state', present: always, number: (view) => view.connection?.bit ?? 1 },
  'ct status': {
    kind: 'ct_status',
    present: (view) => view.connection?.connection !== undefined,
    number: (view) => view.connection?.connection?.status ?? 0,
  },
  'fib daddr type': {
    kind: 'fib_addrtype',
    present: always,
    number: (view) =>
      addressTypes[view.environment.addressType(view.bytes, view.destination, view.family)] ?? 0,
  },
}

function port(protocol: number, offset: number): Field {
  return {
    kind: 'inet_service',
    protocol,
    present: (view) => view.hasTransport(protocol, offset + 2),
    number: (view) => u16At(view.bytes, view.transport + offset),
  }
}

function transportPort(offset: number): Field {
  return {
    kind: 'inet_service',
    present: ({ transport, end }) => transport >= 0 && transport + offset + 2 <= end,
    number: (view) => u16At(view.bytes, view.transport + offset),
  }
}

/** What the matches of a rule say of the packet so far; two that contradict each other are refused, as nft does. */
export interface RuleProtocols {
  family: 4 | 6 | undefined
  protocol: number | undefined
  /** Some match says the transport protocol, perhaps as one of several. */
  transport: boolean
}

export function ruleProtocols(family: NftFamily): RuleProtocols {
  return {
    family: family === 'ip' ? 4 : family === 'ip6' ? 6 : undefined,
    protocol: undefined,
    transport: false,
  }
}

/** Compiles a match. `setOf` finds a named set of the table; EINVAL for what nft would not take. */
export function compileMatch(match: NftMatch, known: RuleProtocols, setOf: (name: string) => SetState): Step {
  const field = Object.hasOwn(fields, match.match) ? fields[match.match] : undefined
  if (field === undefined) throw invalid(`${JSON.stringify(match.match)} is not a field that rules can match`)
  note(match, field, known)
  const test = compileTest(field, match, setOf)
  const { present } = field
  if (match.op === '!=') return (view) => present(view) && !test(view)
  return (view) => present(view) && test(view)
}

function note(match: NftMatch, field: Field, known: RuleProtocols): void {
  const conflict = (what: string): Error => invalid(`${match.match}: conflicting ${what} in one rule`)
  if (field.family !== undefined) {
    if (known.family !== undefined && known.family !== field.family) throw conflict('IP versions')
    known.family = field.family
  }
  if (field.protocol !== undefined) {
    if (known.protocol !== undefined && known.protocol !== field.protocol)
      throw conflict('transport protocols')
    known.protocol = field.protocol
    known.transport = true
  }
  if (match.match === 'meta l4proto' && match.op !== '!=') known.transport = true
}

function compileTest(field: Field, { match, op, value }: NftMatch, setOf: (name: string) => SetState): Step {
  if (typeof value === 'object' && 'set' in value) return compileSet(field, match, setOf(value.set))
  const list = typeof value === 'object'
  const values: readonly NftValue[] = typeof value === 'object' ? value : [value]
  if (values.length === 0) throw invalid(`${match}: there is nothing in the list to match`)
  if (field.name !== undefined) return compileNames(field.name, values)
  const intervals = values.map((one) => intervalOf(field.kind, one))
  if (field.place !== undefined) return compileWide(field.place, intervals)
  const number = field.number ?? (() => 0)
  const [only] = intervals
  if (list || only === undefined) {
    const table = mergedIntervals(1, intervals)
    return (view) => table.has(number(view))
  }
  const [first = 0, last = 0] = [only.first[0], only.last[0]]
  // A single word is a bit to look for; anything else about status compares the whole, as nft does.
  if (match === 'ct status' && op !== '!=') return (view) => (number(view) & first) !== 0
  if (first === last) return (view) => number(view) === first
  return (view) => {
    const actual = number(view)
    return first <= actual && actual <= last
  }
}

const words = new Uint32Array(4)

function load(view: NetfilterView, place: number): Uint32Array {
  for (let i = 0; i < 4; i++) words[i] = u32At(view.bytes, place + 4 * i)
  return words
}

function compileWide(place: (view: NetfilterView) => number, intervals: readonly Interval[]): Step {
  const [only] = intervals
  if (intervals.length === 1 && only !== undefined) {
    const { first, last } = only
    return (view) => {
      const actual = load(view, place(view))
      return compareWords(first, 0, actual, 0, 4) <= 0 && compareWords(actual, 0, last, 0, 4) <= 0
    }
  }
  const table = mergedIntervals(4, intervals)
  return (view) => table.hasWords(load(view, place(view)), 0)
}

function compileNames(name: (view: NetfilterView) => string, values: readonly NftValue[]): Step {
  const exact = new Set<string>()
  const begins: string[] = []
  for (const value of values) {
    const text = linkName(String(value))
    if (text.endsWith('*')) begins.push(text.slice(0, -1))
    else exact.add(text)
  }
  const [only] = exact
  if (begins.length === 0 && exact.size === 1) return (view) => name(view) === only
  return (view) => {
    const actual = name(view)
    return exact.has(actual) || begins.some((begin) => actual.startsWith(begin))
  }
}

function compileSet(field: Field, match: string, set: SetState): Step {
  if (set.spec.type !== field.kind) {
    throw invalid(`${match} cannot be looked up in set ${set.spec.name} of type ${set.spec.type}`)
  }
  const { numbers, names } = set
  const { name, place, number } = field
  if (name !== undefined) return (view) => names.has(name(view))
  if (place !== undefined) return (view) => numbers.hasWords(load(view, place(view)), 0)
  return (view) => numbers.has(number?.(view) ?? 0)
}
