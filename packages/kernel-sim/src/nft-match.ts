import type { NftExpression, NftField, NftKey, NftValue } from '@podfabric/kernel'
import { u32At } from '@podfabric/wire'
import { compareWords, type Interval, mergedIntervals } from './interval-table.ts'
import type { NetfilterView } from './netfilter-view.ts'
import type { Field, Step } from './nft-field.ts'
import { compileKey, fieldOf, noteFields, type RuleProtocols, type RuleScope } from './nft-lookup.ts'
import { parseElement, SetState } from './nft-set.ts'
import { intervalOf, invalid, linkName } from './nft-value.ts'

export type NftMatch = Extract<NftExpression, { readonly match: unknown }>
interface PlainMatch {
  readonly match: NftField
  readonly op?: '==' | '!='
  readonly value: NftValue | readonly NftValue[]
}

/** Compiles a match. EINVAL for what nft would not take; what `scope` throws for a set that is not there. */
export function compileMatch(match: NftMatch, known: RuleProtocols, scope: RuleScope): Step {
  if ('mask' in match) return compileMasked(match)
  const { op, value } = match
  if (typeof value === 'object' && 'set' in value) {
    const key = compileKey(match.match, known)
    const set = scope.setOf(value.set, key)
    return compileSet(key, set, op === '!=')
  }
  if (typeof match.match === 'string') {
    const field = fieldOf(match.match)
    noteFields([match.match], known, op)
    const test = compileTest(field, { ...match, match: match.match, value: value as PlainMatch['value'] })
    const { present } = field
    if (op === '!=') return (view) => present(view) && !test(view)
    return (view) => present(view) && test(view)
  }
  const list = value as readonly NftKey[]
  const key = compileKey(match.match, known)
  if (list.length === 0) throw invalid(`${match.match.join(' . ')}: there is nothing in the list to match`)
  const facts = { key: key.kinds, interval: true }
  const set = new SetState('of a rule', facts, false)
  for (const one of list) set.add(parseElement('of a rule', facts, one), false, scope.chainOf)
  return compileSet(key, set, op === '!=')
}

function compileSet(
  { load, present }: { readonly load: (view: NetfilterView) => Uint32Array; readonly present: Step },
  { elements }: SetState,
  invert: boolean,
): Step {
  if (invert) return (view) => present(view) && elements.find(load(view)) < 0
  return (view) => present(view) && elements.find(load(view)) >= 0
}

function compileMasked({ mask, op, value }: Extract<NftMatch, { readonly mask: number }>): Step {
  checkMasked(mask, value)
  if (op === '!=') return (view) => (view.packet.mark & mask) >>> 0 !== value
  return (view) => (view.packet.mark & mask) >>> 0 === value
}

/** EINVAL where the value has bits that the mask has not. */
export function checkMasked(mask: number, value: number): void {
  for (const number of [mask, value]) {
    if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff)
      throw invalid(`${number} is not a mark of 32 bits`)
  }
  if (mask === 0) throw invalid('a mask of no bits has nothing to compare or set')
  if ((value & ~mask) !== 0) throw invalid(`${value} has bits that are not in the mask ${mask}`)
}

function compileTest(field: Field, { match, op, value }: PlainMatch): Step {
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
