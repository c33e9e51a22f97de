import { IPv4CidrRange, IPv4Prefix, IPv6CidrRange, IPv6Prefix } from 'ip-num'
import { compareIp, ipFromBigInt, ipToBigInt, parseIp } from './ip.ts'
import { networkAddress, type Prefix, prefixFamily, prefixFrom, prefixLength } from './prefix.ts'
import { type IpRange, rangeFrom } from './range.ts'
import { covers, overlaps } from './subnet.ts'

// Arithmetic on operators' address plans, on ip-num. It loads slowly and is far too slow for packets or single
// addresses: for configuration only, which is why it is not in the main entry. Only canonical prefixes go into
// ip-num and only parsed addresses come out: by itself it compares across families, keeps host bits, and
// prints IPv6 in its long form.

/** More blocks than this are a mistake in the plan. */
const MAX_BLOCKS = 65_536

type Cidr = IPv4CidrRange | IPv6CidrRange

function cidrOf(prefix: Prefix): Cidr {
  return prefixFamily(prefix) === 4 ? IPv4CidrRange.fromCidr(prefix) : IPv6CidrRange.fromCidr(prefix)
}

function prefixOfCidr(cidr: Cidr): Prefix {
  return prefixFrom(parseIp(cidr.getFirst().toString()), Number(cidr.getPrefix().getValue()))
}

/**
 * The network cut into blocks of `length` bits, in order: a cluster's pod network into nodes' subnets.
 * `RangeError` when the blocks would be larger than the network, or more than 65,536.
 */
export function splitPrefix(prefix: Prefix, length: number): Prefix[] {
  const own = prefixLength(prefix)
  const bits = prefixFamily(prefix) === 4 ? 32 : 128
  if (!Number.isInteger(length) || length < own || length > bits) {
    throw new RangeError(`${prefix} cannot be cut into blocks of /${length}; choose /${own} to /${bits}`)
  }
  if (2 ** (length - own) > MAX_BLOCKS) {
    throw new RangeError(`${prefix} has more than ${MAX_BLOCKS} blocks of /${length}`)
  }
  if (length === own) return [prefix]
  const cidr = cidrOf(prefix)
  const blocks =
    cidr instanceof IPv4CidrRange
      ? cidr.splitInto(IPv4Prefix.fromNumber(BigInt(length)))
      : cidr.splitInto(IPv6Prefix.fromNumber(BigInt(length)))
  return blocks.map(prefixOfCidr)
}

/** What is left of `from` without `taken`, as the fewest prefixes, in order. Prefixes elsewhere are ignored. */
export function subtractPrefixes(from: Prefix, taken: readonly Prefix[]): Prefix[] {
  const touching = taken.filter((prefix) => overlaps(from, prefix))
  if (touching.length === 0) return [from]
  if (touching.some((prefix) => covers(prefix, from))) return []
  return cidrOf(from)
    .split()
    .flatMap((half) => subtractPrefixes(prefixOfCidr(half), touching))
}

/** The lowest block of `length` bits in `pool` that touches none of `taken`; undefined when there is none. */
export function freeBlock(pool: Prefix, taken: readonly Prefix[], length: number): Prefix | undefined {
  if (!Number.isInteger(length) || length < prefixLength(pool)) {
    throw new RangeError(`a block of /${length} is larger than its pool ${pool}`)
  }
  for (const free of subtractPrefixes(pool, taken)) {
    if (prefixLength(free) <= length) return prefixFrom(networkAddress(free), length)
  }
  return undefined
}

/** The fewest prefixes with the same addresses, IPv4 first, in order. */
export function mergePrefixes(prefixes: Iterable<Prefix>): Prefix[] {
  const merged: Prefix[] = []
  for (const prefix of [...prefixes].sort(comparePrefix)) {
    const last = merged.at(-1)
    if (last !== undefined && covers(last, prefix)) continue
    merged.push(prefix)
    mergeTail(merged)
  }
  return merged
}

/** While the last two are the halves of one prefix, they become it. */
function mergeTail(prefixes: Prefix[]): void {
  for (;;) {
    const [a, b] = prefixes.slice(-2)
    if (a === undefined || b === undefined || !areHalves(a, b)) return
    const whole = cidrOf(a).merge(cidrOf(b))
    prefixes.splice(-2, 2, prefixOfCidr(whole))
  }
}

function areHalves(a: Prefix, b: Prefix): boolean {
  const length = prefixLength(a)
  if (prefixFamily(a) !== prefixFamily(b) || length !== prefixLength(b) || length === 0) return false
  return cidrOf(a).isCidrMergeable(cidrOf(b))
}

/** Order by family, address, then length, shortest first: a comparator for `sort`. */
export function comparePrefix(a: Prefix, b: Prefix): number {
  return compareIp(networkAddress(a), networkAddress(b)) || prefixLength(a) - prefixLength(b)
}

/** A network of a plan, with what it is for. */
export interface NamedPrefix {
  readonly name: string
  readonly prefix: Prefix
}

/** Two networks of a plan that share addresses. */
export interface PrefixOverlap {
  readonly first: NamedPrefix
  readonly second: NamedPrefix
  /** The smaller of the two: every address that they share. */
  readonly shared: Prefix
}

/** Every pair of networks that share addresses, in the order given. */
export function findOverlaps(networks: readonly NamedPrefix[]): PrefixOverlap[] {
  return networks.flatMap((first, i) =>
    networks
      .slice(i + 1)
      .filter((second) => overlaps(first.prefix, second.prefix))
      .map((second) => {
        const shared = covers(first.prefix, second.prefix) ? second.prefix : first.prefix
        return { first, second, shared }
      }),
  )
}

/** The fewest prefixes that make up a range, in order. */
export function prefixesOfRange(range: IpRange): Prefix[] {
  const { first, last } = rangeFrom(range.first, range.last)
  const family = first.includes(':') ? 6 : 4
  const bits = family === 4 ? 32 : 128
  const end = ipToBigInt(last)
  const prefixes: Prefix[] = []
  for (let at = ipToBigInt(first); at <= end; ) {
    let length = bits
    while (length > 0 && fits(at, bits - length + 1, end)) length--
    prefixes.push(prefixFrom(ipFromBigInt(at, family), length))
    at += 1n << BigInt(bits - length)
  }
  return prefixes
}

function fits(at: bigint, hostBits: number, end: bigint): boolean {
  const size = 1n << BigInt(hostBits)
  return at % size === 0n && at + size - 1n <= end
}
