import type { NftKey, NftValue } from '@podfabric/kernel'
import type { Interval } from './interval-table.ts'
import { intervalOf, invalid, nameOf, printedValue, type ValueKind, wordsOfName } from './nft-value.ts'

/** The fields of a key, or of what a map maps to. Several are a concatenation. */
export type Kinds = readonly ValueKind[]

export function isSameKinds(a: Kinds, b: Kinds): boolean {
  return a.length === b.length && a.every((kind, i) => kind === b[i])
}

/** Words of a value of the kind. */
export function wordsIn(kind: ValueKind): 1 | 4 {
  return kind === 'ipv6_addr' || kind === 'ifname' ? 4 : 1
}

export function widthOf(kinds: Kinds): number {
  return kinds.reduce((sum, kind) => sum + wordsIn(kind), 0)
}

/** A key in words: of a prefix or range, of each field the first and the last. EINVAL. */
export function keyInterval(kinds: Kinds, key: NftKey): Interval {
  const values: readonly NftValue[] = typeof key === 'object' ? key : [key]
  if (values.length !== kinds.length || (typeof key === 'object' && kinds.length === 1)) {
    throw invalid(`${JSON.stringify(key)} is not a key of ${kinds.join(' . ')}`)
  }
  const first = new Uint32Array(widthOf(kinds))
  const last = new Uint32Array(first.length)
  let at = 0
  kinds.forEach((kind, i) => {
    const interval = fieldInterval(kind, values[i] as NftValue)
    first.set(interval.first, at)
    last.set(interval.last, at)
    at += wordsIn(kind)
  })
  return { first, last }
}

function fieldInterval(kind: ValueKind, value: NftValue): Interval {
  if (kind !== 'ifname') return intervalOf(kind, value)
  const words = wordsOfName(String(value))
  return { first: words, last: words }
}

export function isSingle({ first, last }: Interval): boolean {
  return first.every((word, i) => word === last[i])
}

/** What `keyInterval` was given, in nft's words. */
export function printedKey(kinds: Kinds, { first, last }: Interval): NftKey {
  let next = 0
  const values = kinds.map((kind): NftValue => {
    const at = next
    next += wordsIn(kind)
    if (kind === 'ifname') return nameOf(first.subarray(at, next))
    return printedValue(kind, { first: first.slice(at, next), last: last.slice(at, next) })
  })
  const [only] = values
  return kinds.length === 1 && only !== undefined ? only : values
}
