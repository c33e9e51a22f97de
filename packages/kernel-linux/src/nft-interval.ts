import { compareOctets, type NftInterval } from './nft-value.ts'

/** One end of an interval, as sets with the interval flag keep them. */
export interface NftEndpoint {
  readonly key: Uint8Array
  /** The first key behind an interval, not one of it. */
  readonly end: boolean
  /** A start without an end: the interval reaches to the last key there is. */
  readonly open?: boolean
}

/** Sorted, those that touch or overlap as one. */
export function mergedIntervals(intervals: readonly NftInterval[]): NftInterval[] {
  const sorted = intervals.toSorted((a, b) => compareOctets(a.first, b.first))
  const merged: NftInterval[] = []
  for (const next of sorted) {
    const before = merged.at(-1)
    const behind = before === undefined ? undefined : successor(before.last)
    const touches = before !== undefined && (behind === undefined || compareOctets(next.first, behind) <= 0)
    if (!touches || before === undefined) merged.push(next)
    else if (compareOctets(next.last, before.last) > 0)
      merged[merged.length - 1] = { ...before, last: next.last }
  }
  return merged
}

export function endpointsOf({ first, last }: NftInterval): readonly NftEndpoint[] {
  const behind = successor(last)
  if (behind === undefined) return [{ key: first, end: false, open: true }]
  return [
    { key: first, end: false },
    { key: behind, end: true },
  ]
}

/**
 * The intervals between ends, in any order of these, each with what its first end has as value; ends of nothing, as nft
 * leaves one at zero, are passed over.
 */
export function intervalsBetween<Value>(
  endpoints: readonly (NftEndpoint & { readonly value?: Value })[],
): { readonly interval: NftInterval; readonly value?: Value }[] {
  const sorted = endpoints.toSorted((a, b) => compareOctets(a.key, b.key) || Number(b.end) - Number(a.end))
  const intervals: { readonly interval: NftInterval; readonly value?: Value }[] = []
  let first: (NftEndpoint & { readonly value?: Value }) | undefined
  const close = (last: Uint8Array) => {
    if (first === undefined) return
    const interval = { first: first.key, last }
    intervals.push(first.value === undefined ? { interval } : { interval, value: first.value })
  }
  for (const endpoint of sorted) {
    // An interval may end where the next one starts, without an end of its own.
    if (first !== undefined) close(predecessor(endpoint.key))
    first = endpoint.end ? undefined : endpoint
  }
  if (first !== undefined) close(first.key.map(() => 0xff))
  return intervals
}

/** Undefined behind the last key there is. */
function successor(key: Uint8Array): Uint8Array | undefined {
  const next = key.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = (next[i] ?? 0) + 1
    if (next[i] !== 0) return next
  }
  return undefined
}

function predecessor(key: Uint8Array): Uint8Array {
  const before = key.slice()
  for (let i = before.length - 1; i >= 0; i--) {
    const octet = before[i] ?? 0
    before[i] = octet - 1
    if (octet !== 0) break
  }
  return before
}
