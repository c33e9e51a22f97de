import {
  type Family,
  familyOf,
  type Ip,
  ipFromBigInt,
  ipToBigInt,
  ipv4FromNumber,
  ipv4ToNumber,
  isV4,
} from '@podfabric/netaddr'
import { maxFreeMapSize } from './free-map.ts'

/** Consecutive addresses as integers, both ends included. */
export interface Interval {
  readonly first: bigint
  readonly last: bigint
}

/** An interval and the position of its first address. */
interface Segment {
  readonly first: bigint
  readonly last: bigint
  /** `first` as a number; exact for IPv4, not used for IPv6. */
  readonly base: number
  readonly position: number
}

/** `intervals` without the addresses of `cuts`; order is kept. */
export function cutOut(intervals: readonly Interval[], cuts: readonly Interval[]): Interval[] {
  return cuts.reduce<Interval[]>(
    (left, cut) =>
      left.flatMap(({ first, last }) => {
        const pieces = [
          { first, last: last < cut.first ? last : cut.first - 1n },
          { first: first > cut.last ? first : cut.last + 1n, last },
        ]
        return cut.last < first || cut.first > last
          ? [{ first, last }]
          : pieces.filter((piece) => piece.first <= piece.last)
      }),
    [...intervals],
  )
}

/**
 * The addresses that a pool may give, numbered from 0 in the order of its ranges. Only the first `positions` of them, of
 * which there are at most `maxFreeMapSize`, have a number; the rest of a huge IPv6 pool can be asked for by address.
 */
export class AddressSpace {
  readonly family: Family
  /** How many addresses there are. */
  readonly size: bigint
  /** How many of them have a number. */
  readonly positions: number
  readonly #segments: readonly Segment[]

  constructor(family: Family, intervals: readonly Interval[]) {
    this.family = family
    let size = 0n
    this.#segments = intervals.map(({ first, last }) => {
      const position = Number(size)
      size += last - first + 1n
      return { first, last, base: family === 4 ? Number(first) : 0, position }
    })
    this.size = size
    this.positions = Math.min(Number(size), maxFreeMapSize)
  }

  has(ip: Ip): boolean {
    return this.#segmentOf(ip) !== undefined
  }

  /** The number of an address; -1 for one that has none. */
  positionOf(ip: Ip): number {
    const segment = this.#segmentOf(ip)
    if (segment === undefined) return -1
    const within = isV4(ip) ? ipv4ToNumber(ip) - segment.base : Number(ipToBigInt(ip) - segment.first)
    const position = segment.position + within
    return position < this.positions ? position : -1
  }

  /** The address with this number. `RangeError` when there is none. */
  addressAt(position: number): Ip {
    if (!(position >= 0 && position < this.positions))
      throw new RangeError(`position ${position} has no address`)
    let low = 0
    let high = this.#segments.length - 1
    while (low < high) {
      const half = (low + high + 1) >>> 1
      if ((this.#segments[half]?.position ?? 0) <= position) low = half
      else high = half - 1
    }
    const { first, base, position: start } = this.#segments[low] ?? { first: 0n, base: 0, position: 0 }
    if (this.family === 4) return ipv4FromNumber(base + (position - start))
    return ipFromBigInt(first + BigInt(position - start), 6)
  }

  #segmentOf(ip: Ip): Segment | undefined {
    if (familyOf(ip) !== this.family) return undefined
    if (isV4(ip)) {
      const value = ipv4ToNumber(ip)
      return this.#segments.find(
        ({ first, last, base }) => base <= value && value - base <= Number(last - first),
      )
    }
    const value = ipToBigInt(ip)
    return this.#segments.find(({ first, last }) => first <= value && value <= last)
  }
}
