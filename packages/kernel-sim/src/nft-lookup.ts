import type { NftFamily, NftField, NftFields, NftLookup } from '@podfabric/kernel'
import { u32At } from '@podfabric/wire'
import type { NetfilterView } from './netfilter-view.ts'
import type { ChainState } from './nft-chain.ts'
import { type Field, nftFields, type Step } from './nft-field.ts'
import { isSameKinds, isSingle, type Kinds, widthOf, wordsIn } from './nft-key.ts'
import type { Mapped } from './nft-mapped.ts'
import { parseElement, SetState } from './nft-set.ts'
import { invalid, writeNameWords } from './nft-value.ts'

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

/** What a rule is compiled against. */
export interface RuleScope {
  /** The set or map of that name, with keys of these kinds. ENOENT, EINVAL. */
  setOf(name: string, key: Pick<CompiledKey, 'kinds' | 'words'>): SetState
  /** A chain to jump to. ENOENT, EOPNOTSUPP. */
  readonly chainOf: (name: string) => ChainState
  /** Notes a map of this rule alone. */
  keep(map: SetState): void
}

/** What a set or map is asked for. */
export interface CompiledKey {
  readonly kinds: Kinds
  /** The fields as a person would write them. */
  readonly words: string
  /** Whether a packet has all the fields. */
  readonly present: Step
  /** The key of a packet that has; the same array each time. */
  readonly load: (view: NetfilterView) => Uint32Array
}

const NUMGEN = /^numgen (inc|random) mod (\d+)$/

/** EINVAL. */
export function fieldOf(name: NftField): Field {
  const field = Object.hasOwn(nftFields, name) ? nftFields[name] : undefined
  if (field === undefined) throw invalid(`${JSON.stringify(name)} is not a field that rules can match`)
  return field
}

/** Takes note of what fields say of the packet. EINVAL where they contradict. */
export function noteFields(names: readonly NftField[], known: RuleProtocols, op?: '==' | '!='): void {
  for (const name of names) {
    const { family, protocol } = fieldOf(name)
    const conflict = (what: string): Error => invalid(`${name}: conflicting ${what} in one rule`)
    if (family !== undefined) {
      if (known.family !== undefined && known.family !== family) throw conflict('IP versions')
      known.family = family
    }
    if (protocol !== undefined) {
      if (known.protocol !== undefined && known.protocol !== protocol) throw conflict('transport protocols')
      known.protocol = protocol
      known.transport = true
    }
    if (names.length === 1 && name === 'meta l4proto' && op !== '!=') known.transport = true
  }
}

/** EINVAL. */
export function compileKey(key: NftLookup['key'], known: RuleProtocols): CompiledKey {
  if (typeof key === 'string' && key.startsWith('numgen ')) return compileNumber(key)
  const names = (typeof key === 'string' ? [key] : key) as readonly NftField[] | NftFields
  noteFields(names, known)
  const fields = names.map(fieldOf)
  const kinds = fields.map(({ kind }) => kind)
  const words = new Uint32Array(widthOf(kinds))
  let next = 0
  const writers = fields.map((field) => {
    const at = next
    next += wordsIn(field.kind)
    return writer(field, words, at)
  })
  const tests = fields.map(({ present }) => present)
  const [test, write] = [tests[0], writers[0]]
  if (fields.length === 1 && test !== undefined && write !== undefined) {
    const load = (view: NetfilterView): Uint32Array => {
      write(view)
      return words
    }
    return { kinds, words: names.join(' . '), present: test, load }
  }
  return {
    kinds,
    words: names.join(' . '),
    present(view) {
      for (let i = 0; i < tests.length; i++) if (!(tests[i] as Step)(view)) return false
      return true
    },
    load(view) {
      for (let i = 0; i < writers.length; i++) (writers[i] as (view: NetfilterView) => void)(view)
      return words
    },
  }
}

function writer(
  { name, number, place }: Field,
  words: Uint32Array,
  at: number,
): (view: NetfilterView) => void {
  if (name !== undefined) return (view) => writeNameWords(name(view), words, at)
  if (place !== undefined) {
    return (view) => {
      const from = place(view)
      for (let i = 0; i < 4; i++) words[at + i] = u32At(view.bytes, from + 4 * i)
    }
  }
  return (view) => {
    words[at] = number?.(view) ?? 0
  }
}

function compileNumber(key: string): CompiledKey {
  const [, mode, digits = ''] = NUMGEN.exec(key) ?? []
  const modulus = Number(digits)
  if (mode === undefined || modulus < 1 || modulus > 0xffff_ffff) {
    throw invalid(`${JSON.stringify(key)} has no modulus from 1 to ${0xffff_ffff}`)
  }
  const words = new Uint32Array(1)
  let last = modulus - 1
  const load = (view: NetfilterView): Uint32Array => {
    last = mode === 'random' ? Math.floor(view.environment.random() * modulus) : (last + 1) % modulus
    words[0] = last
    return words
  }
  return { kinds: ['integer'], words: key, present: () => true, load }
}

/** What a map has for a packet; undefined where it has none. */
export interface CompiledLookup {
  readonly look: (view: NetfilterView) => Mapped | undefined
  readonly map: SetState
}

/** `dataOf`: what the elements of a map without a name are mapped to. EINVAL; what `scope` throws. */
export function compileLookup(
  { key, map }: NftLookup,
  known: RuleProtocols,
  scope: RuleScope,
  dataOf: (elements: Extract<NftLookup['map'], readonly unknown[]>) => 'verdict' | Kinds,
): CompiledLookup {
  const compiled = compileKey(key, known)
  const set = typeof map === 'string' ? scope.setOf(map, compiled) : anonymous(map, compiled, scope, dataOf)
  if (set.facts.to === undefined) throw invalid(`${map} is a set: nothing can be looked up in it`)
  const { load, present } = compiled
  const { elements } = set
  const look = (view: NetfilterView): Mapped | undefined => {
    if (!present(view)) return undefined
    const place = elements.find(load(view))
    return place < 0 ? undefined : elements.valueAt(place)
  }
  return { look, map: set }
}

function anonymous(
  map: Extract<NftLookup['map'], readonly unknown[]>,
  { kinds }: CompiledKey,
  scope: RuleScope,
  dataOf: (elements: typeof map) => 'verdict' | Kinds,
): SetState {
  if (map.length === 0) throw invalid('there is nothing in the map to look up')
  const to = dataOf(map)
  const parsed = map.map((one) =>
    parseElement('of a rule', { key: kinds, to, interval: true }, one.key, one.to),
  )
  const set = new SetState(
    'of a rule',
    {
      key: kinds,
      to,
      interval: parsed.some(({ interval }) => !isSingle(interval)),
    },
    false,
  )
  for (const element of parsed) set.add(element, false, scope.chainOf)
  scope.keep(set)
  return set
}

/** EINVAL where the set's keys are of other kinds. */
export function checkKinds(
  set: SetState,
  name: string,
  { kinds, words }: Pick<CompiledKey, 'kinds' | 'words'>,
): void {
  if (isSameKinds(set.facts.key, kinds)) return
  throw invalid(`${words} cannot be looked up in set ${name} of type ${set.facts.key.join(' . ')}`)
}
