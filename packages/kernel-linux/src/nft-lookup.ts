import type { NftFamily, NftField, NftLookup, NftMapping } from '@podfabric/kernel'
import { type Ensured, ensureProtocol, ensureVersion, type FieldSpec, nftFields } from './nft-field.ts'
import type { NftInstruction, NftLoad } from './nft-instruction.ts'
import { fieldLengths, type NftKinds } from './nft-key.ts'
import { elementOf, type NftSetFacts, type NftSets } from './nft-set.ts'
import { invalidNft, nftKinds } from './nft-value.ts'

/** Octets of a register's word; a field of a concatenation begins at one. */
const WORD = 4
const NUMGEN = /^numgen (inc|random) mod (\d+)$/

/** The register that begins at a word: four words make one of the registers 1 to 4, and each word has one of its own. */
export function registerAt(word: number): number {
  return word % WORD === 0 ? 1 + word / WORD : 8 + word
}

/** EINVAL. */
export function fieldOf(name: NftField): FieldSpec {
  const field = Object.hasOwn(nftFields, name) ? nftFields[name] : undefined
  if (field === undefined) throw invalidNft(`${JSON.stringify(name)} is not a field that rules can match`)
  return field
}

/** The rule that is being made. */
export interface RuleScope {
  readonly family: NftFamily
  readonly ensured: Ensured
  readonly sets: NftSets
}

interface LoadedKey {
  readonly kinds: NftKinds
  readonly instructions: readonly NftInstruction[]
}

/** Makes sure that a packet has the fields, and loads them side by side, from register 1 on. EINVAL. */
export function loadFields(names: readonly NftField[], { family, ensured }: RuleScope): LoadedKey {
  const fields = names.map(fieldOf)
  const kinds = fields.map(({ kind }) => kind)
  const dependencies = fields.flatMap(({ version, protocol }) => [
    ...(version === undefined ? [] : ensureVersion(family, ensured, version)),
    ...(protocol === undefined ? [] : ensureProtocol(ensured, protocol)),
  ])
  const places = registersOf(kinds)
  const loads = fields.map(({ load }, i): NftLoad => ({ ...load, to: places[i] ?? 1 }))
  return { kinds, instructions: [...dependencies, ...loads] }
}

/** The register that each field of a key is in. */
export function registersOf(kinds: NftKinds): readonly number[] {
  let word = 0
  return fieldLengths(kinds).map((length) => {
    const at = word
    word += Math.ceil(length / WORD)
    return registerAt(at)
  })
}

/** Sets with intervals are ordered octet by octet, which numbers in the processor's order are not. */
export function swapsFor(kinds: NftKinds, { interval }: Pick<NftSetFacts, 'interval'>): NftInstruction[] {
  const places = registersOf(kinds)
  return kinds.flatMap((kind, i): NftInstruction[] =>
    interval && nftKinds[kind].hostOrder === true
      ? [{ name: 'byteorder', at: places[i] ?? 1, length: 4 }]
      : [],
  )
}

export function isSameKinds(a: NftKinds, b: NftKinds): boolean {
  return a.length === b.length && a.every((kind, i) => kind === b[i])
}

/** Looks up a key in a map and leaves what it is mapped to in a register. */
export interface LoweredLookup {
  readonly instructions: readonly NftInstruction[]
  readonly to: 'verdict' | NftKinds
}

/** `register`: 0 for a verdict. `dataOf`: what the elements of a map without a name are mapped to. EINVAL, ENOENT. */
export function lowerLookup(
  { key, map }: NftLookup,
  register: number,
  dataOf: (elements: readonly NftMapping[]) => 'verdict' | NftKinds,
  scope: RuleScope,
): LoweredLookup {
  const { kinds, instructions } = loadKey(key, scope)
  const lookup = { name: 'lookup', from: 1, to: register, invert: false } as const
  if (typeof map !== 'string') {
    if (map.length === 0) throw invalidNft('there is nothing in the map to look up')
    const facts = { key: kinds, to: dataOf(map), interval: true }
    const elements = map.map(({ key: one, to }) => elementOf('of a rule', facts, one, to))
    const made = scope.sets.anonymous({ key: kinds, to: facts.to }, elements)
    const swaps = swapsFor(kinds, made)
    return {
      instructions: [...instructions, ...swaps, { ...lookup, set: made.name, id: made.id }],
      to: facts.to,
    }
  }
  const facts = namedFor(key, kinds, map, scope.sets)
  if (facts.to === undefined) throw invalidNft(`${map} is a set: nothing can be looked up in it`)
  return { instructions: [...instructions, ...swapsFor(kinds, facts), { ...lookup, set: map }], to: facts.to }
}

/** The set or map of this name, whose keys the fields are. EINVAL, ENOENT. */
export function namedFor(
  fields: NftLookup['key'],
  kinds: NftKinds,
  name: string,
  sets: NftSets,
): NftSetFacts {
  const facts = sets.named(name)
  if (isSameKinds(facts.key, kinds)) return facts
  const words = typeof fields === 'string' ? fields : fields.join(' . ')
  throw invalidNft(`${words} cannot be looked up in set ${name} of type ${facts.key.join(' . ')}`)
}

function loadKey(key: NftLookup['key'], scope: RuleScope): LoadedKey {
  if (typeof key !== 'string') return loadFields(key, scope)
  if (!isNumber(key)) return loadFields([key], scope)
  const [, mode, digits = ''] = NUMGEN.exec(key) ?? []
  const modulus = Number(digits)
  if (mode === undefined || modulus < 1 || modulus > 0xffff_ffff) {
    throw invalidNft(`${JSON.stringify(key)} has no modulus from 1 to ${0xffff_ffff}`)
  }
  return { kinds: ['integer'], instructions: [{ name: 'numgen', to: 1, modulus, random: mode === 'random' }] }
}

function isNumber(key: NftLookup['key']): key is Extract<NftLookup['key'], `numgen ${string}`> {
  return typeof key === 'string' && key.startsWith('numgen ')
}
