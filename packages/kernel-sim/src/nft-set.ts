import {
  KernelError,
  type NftElements,
  type NftKey,
  type NftKeyType,
  type NftSet,
  type NftValue,
} from '@podfabric/kernel'
import { IntervalTable } from './interval-table.ts'
import { intervalOf, invalid, printedValue, unsupported } from './nft-value.ts'

/** A named set with its elements, looked up by number or, for links, by name. */
export class SetState {
  readonly spec: NftSet
  readonly numbers: IntervalTable
  readonly names = new Set<string>()
  /** Rules that ask it. */
  uses = 0
  readonly #type: NftKeyType

  constructor(spec: NftSet) {
    this.spec = spec
    if (typeof spec.type !== 'string') throw unsupported('concatenations')
    this.#type = spec.type
    this.numbers = new IntervalTable(spec.type === 'ipv6_addr' ? 4 : 1)
  }

  /** Adds an element; returns what takes it out again, or undefined where it was there. EEXIST for an overlap. */
  add(value: NftKey, exclusive: boolean): (() => void) | undefined {
    if (typeof value === 'object') throw unsupported('concatenations')
    const exists = (reason = `${value} is in the set`): KernelError =>
      new KernelError('EEXIST', `nft add element ${this.spec.table} ${this.spec.name}`, reason)
    if (this.spec.type === 'ifname') {
      const name = this.#name(value)
      if (this.names.has(name)) {
        if (exclusive) throw exists()
        return undefined
      }
      this.names.add(name)
      return () => this.names.delete(name)
    }
    const interval = this.#interval(value)
    const relation = this.numbers.relation(interval)
    if (relation === 'overlapping') throw exists(`${value} overlaps with an element of the set`)
    if (relation === 'same') {
      if (exclusive) throw exists()
      return undefined
    }
    this.numbers.add(interval)
    return () => this.numbers.delete(interval)
  }

  /** Takes an element out; returns what puts it in again. ENOENT. */
  delete(value: NftKey): () => void {
    if (typeof value === 'object') throw unsupported('concatenations')
    const missing = (): KernelError =>
      new KernelError(
        'ENOENT',
        `nft delete element ${this.spec.table} ${this.spec.name}`,
        `${value} is not in the set`,
      )
    if (this.spec.type === 'ifname') {
      const name = this.#name(value)
      if (!this.names.delete(name)) throw missing()
      return () => this.names.add(name)
    }
    const interval = this.#interval(value)
    if (!this.numbers.delete(interval)) throw missing()
    return () => this.numbers.add(interval)
  }

  /** Empties it; returns what fills it again. */
  flush(): () => void {
    const before = this.elements()
    this.numbers.clear()
    this.names.clear()
    return () => {
      for (const value of before) this.add(value, false)
    }
  }

  elements(): NftValue[] {
    const values: NftValue[] = [...this.names]
    for (let i = 0; i < this.numbers.size; i++) values.push(printedValue(this.#type, this.numbers.at(i)))
    return values
  }

  /** What `list` says of its elements: nothing where it has none. */
  listed(): NftElements[] {
    const { family, table, name } = this.spec
    const elements = this.elements()
    return elements.length === 0 ? [] : [{ kind: 'elements', family, table, set: name, elements }]
  }

  #name(value: NftValue): string {
    const name = String(value)
    if (name.endsWith('*'))
      throw invalid(`set ${this.spec.name} takes names of links, not patterns like ${name}`)
    return linkName(name)
  }

  #interval(value: NftValue): ReturnType<typeof intervalOf> {
    const interval = intervalOf(this.#type, value)
    const single = interval.first.every((word, i) => word === interval.last[i])
    if (single || this.spec.interval === true) return interval
    throw invalid(`set ${this.spec.name} takes ${value} only with the interval flag`)
  }
}

/** EINVAL for what cannot be a link's name. */
export function linkName(name: string): string {
  if (name.length === 0 || name.length > 15)
    throw invalid(`${JSON.stringify(name)} is not the name of a link`)
  return name
}
