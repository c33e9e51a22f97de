import {
  KernelError,
  type NftElements,
  type NftKey,
  type NftMap,
  type NftMapping,
  type NftSet,
  nftFieldTypes,
} from '@podfabric/kernel'
import { type ElementTable, elementTable } from './element-table.ts'
import type { Interval } from './interval-table.ts'
import type { ChainState } from './nft-chain.ts'
import { isSingle, type Kinds, keyInterval, printedKey, wordsIn } from './nft-key.ts'
import { type Mapped, mappedValue } from './nft-mapped.ts'
import { invalid } from './nft-value.ts'

/** What a set's or map's elements are made of. */
export interface SetFacts {
  readonly key: Kinds
  readonly interval: boolean
  /** Of a map. */
  readonly to?: 'verdict' | Kinds
}

/** A set or map that has no element yet, as a rule or an element wants it. */
export interface ParsedElement {
  readonly key: NftKey
  readonly interval: Interval
  readonly mapped: Mapped | undefined
}

/** EINVAL. */
export function factsOf(spec: NftSet | NftMap): SetFacts {
  const facts = { key: nftFieldTypes(spec.name, spec.type), interval: spec.interval === true }
  if (spec.kind === 'set') return facts
  return { ...facts, to: spec.to === 'verdict' ? 'verdict' : nftFieldTypes(spec.name, spec.to) }
}

/** An element as a set takes it; without a value where a map's is to be deleted. EINVAL. */
export function parseElement(
  name: string,
  { interval, key: kinds, to }: SetFacts,
  key: NftKey,
  value?: NftMapping['to'],
): ParsedElement {
  if (kinds.includes('ifname') && [key].flat().some((one) => typeof one === 'string' && one.endsWith('*'))) {
    throw invalid(`set ${name} takes names of links, not patterns like ${key}`)
  }
  const found = keyInterval(kinds, key)
  if (!interval && !isSingle(found)) throw invalid(`set ${name} takes ${key} only with the interval flag`)
  const mapped = value === undefined ? undefined : mappedValue(name, to, value)
  return { key, interval: found, mapped }
}

/** A set or map with its elements. */
export class SetState {
  readonly name: string
  readonly facts: SetFacts
  readonly elements: ElementTable<Mapped | undefined>
  /** Rules that ask it. */
  uses = 0
  readonly #named: boolean
  readonly #chains = new Map<ChainState, number>()

  /** `named`: it counts among what leads to a chain; what a rule alone has is counted with the rule. */
  constructor(name: string, facts: SetFacts, named: boolean) {
    this.name = name
    this.#named = named
    this.facts = facts
    this.elements = elementTable(facts.key.map(wordsIn), facts.interval)
  }

  /**
   * Adds an element; returns what takes it out again, or undefined where it was there. EEXIST for an overlap, and for a
   * key that is mapped to something else; what `chainOf` throws.
   */
  add(
    { key, interval, mapped: parsed }: ParsedElement,
    exclusive: boolean,
    chainOf: (name: string) => ChainState,
  ): (() => void) | undefined {
    const mapped = parsed?.leadsTo === undefined ? parsed : { ...parsed, chain: chainOf(parsed.leadsTo) }
    const exists = (reason: string): KernelError =>
      new KernelError('EEXIST', `nft add element ${this.name}`, `${key} ${reason}`)
    const place = this.elements.placeOf(interval)
    if (place === 'overlapping') throw exists('overlaps with an element that is there')
    if (place >= 0) {
      if (exclusive) throw exists('is there')
      if (mapped !== undefined && this.elements.valueAt(place)?.text !== mapped.text)
        throw exists('is mapped to something else')
      return undefined
    }
    this.#put(interval, mapped)
    return () => this.#take(interval)
  }

  /** Takes an element out; returns what puts it in again. ENOENT. */
  delete({ key, interval }: ParsedElement): () => void {
    const place = this.elements.placeOf(interval)
    if (place === 'overlapping' || place < 0) {
      throw new KernelError('ENOENT', `nft delete element ${this.name}`, `${key} is not there`)
    }
    const mapped = this.elements.valueAt(place)
    this.#take(interval)
    return () => this.#put(interval, mapped)
  }

  /** Empties it; returns what fills it again. */
  flush(): () => void {
    const before = this.elements.entries()
    for (const { value } of before) this.#lead(value?.chain, -1)
    this.elements.clear()
    return () => {
      for (const { interval, value } of before) this.#put(interval, value)
    }
  }

  #put(interval: Interval, mapped: Mapped | undefined): void {
    this.elements.add(interval, mapped)
    this.#lead(mapped?.chain, 1)
  }

  #take(interval: Interval): void {
    const place = this.elements.placeOf(interval)
    if (typeof place !== 'number' || place < 0) return
    const mapped = this.elements.valueAt(place)
    this.elements.deleteAt(place)
    this.#lead(mapped?.chain, -1)
  }

  /** The chains that its elements jump or go to, each once. */
  get chains(): Iterable<ChainState> {
    return this.#chains.keys()
  }

  /** Counts elements that lead to a chain. */
  #lead(chain: ChainState | undefined, by: 1 | -1): void {
    if (chain === undefined) return
    if (this.#named) chain.uses += by
    const count = (this.#chains.get(chain) ?? 0) + by
    if (count === 0) this.#chains.delete(chain)
    else this.#chains.set(chain, count)
  }
}

/** A set or map with a name. */
export class NamedSet extends SetState {
  readonly spec: NftSet | NftMap

  constructor(spec: NftSet | NftMap) {
    super(spec.name, factsOf(spec), true)
    this.spec = spec
  }

  /** What `list` says of its elements: nothing where it has none. */
  listed(): NftElements[] {
    const { family, kind, name, table } = this.spec
    const entries = this.elements.entries()
    if (entries.length === 0) return []
    const place = { kind: 'elements', family, table } as const
    const keys = entries.map(({ interval }) => printedKey(this.facts.key, interval))
    if (kind === 'set') return [{ ...place, set: name, elements: keys }]
    const elements = entries.flatMap(({ value }, i): NftMapping[] => {
      const key = keys[i]
      return value === undefined || key === undefined ? [] : [{ key, to: value.to }]
    })
    return [{ ...place, map: name, elements }]
  }
}
