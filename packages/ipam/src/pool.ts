import {
  broadcastAddress,
  contains,
  type Family,
  type Ip,
  type IpRange,
  ipFromBigInt,
  ipToBigInt,
  lastAddress,
  networkAddress,
  type Prefix,
  prefixFamily,
  prefixLength,
} from '@podfabric/netaddr'
import { AddressSpace, cutOut, type Interval } from './address-space.ts'
import { IpamError } from './ipam-error.ts'
import { isPoolName } from './owner.ts'

/** Part of a pool: a subnet, or some of its addresses. As a range of host-local. */
export interface PoolRange {
  readonly subnet: Prefix
  /** First address to give. Default: the first that the rules below leave. */
  readonly rangeStart?: Ip
  /** Last address to give. Default: the last that the rules below leave. */
  readonly rangeEnd?: Ip
  /**
   * Never given; returned with each address of this range. Default, as host-local's: the address after the network
   * address (10.1.2.1, fd00::1), but none in a /31, /32, /127 or /128. `none`: there is no gateway.
   */
  readonly gateway?: Ip | 'none'
  /** Addresses of the subnet that are never given. */
  readonly exclude?: readonly (Ip | Prefix | IpRange)[]
}

/**
 * A pool gives one address to an owner. Its ranges are of one family and share no address; they are used in
 * their order. Two pools, one of each family, make a dual-stack network.
 *
 * Never given: the network address (for IPv6 the subnet-router anycast address of RFC 4291, 2.6.1) and the IPv4 broadcast
 * address, the gateway, what is excluded. In a /31 (RFC 3021), /32, /127 (RFC 6164) or /128 there is neither, and all may be given.
 */
export interface Pool {
  /** Names it in errors and in the store: a letter or digit, then letters, digits, `_`, `.`, `-`. */
  readonly name: string
  readonly ranges: readonly PoolRange[]
}

/** A range after checking. */
export interface ResolvedRange {
  readonly subnet: Prefix
  readonly gateway: Ip | undefined
  readonly start: bigint
  readonly end: bigint
}

/** A pool after checking. */
export interface ResolvedPool {
  readonly name: string
  readonly family: Family
  readonly ranges: readonly ResolvedRange[]
  readonly space: AddressSpace
}

/** Most pools of one allocator: an allocation is one transaction over all of them. */
export const maxPools = 32

/** Checks pools alone and against each other, or throws IPAM_INVALID_POOL, which names the pool and the address. */
export function resolvePools(pools: readonly Pool[]): ResolvedPool[] {
  if (pools.length === 0) throw new IpamError('IPAM_INVALID_POOL', 'there is no pool: name at least one')
  if (pools.length > maxPools) {
    throw new IpamError('IPAM_INVALID_POOL', `${pools.length} pools: at most ${maxPools}`)
  }
  const resolved = pools.map(resolvePool)
  const ranges = resolved.flatMap((pool) => pool.ranges.map((range) => ({ pool, range })))
  for (const [index, one] of ranges.entries()) {
    const other = ranges
      .slice(0, index)
      .find(
        ({ pool, range }) =>
          pool.family === one.pool.family && range.start <= one.range.end && one.range.start <= range.end,
      )
    if (other === undefined) continue
    const where = other.pool === one.pool ? 'its own range' : `a range of pool ${other.pool.name}`
    throw invalid(one.pool.name, `${show(one)} overlaps ${where} ${show(other)}`)
  }
  for (const [index, { name }] of resolved.entries()) {
    if (resolved.findIndex((pool) => pool.name === name) !== index)
      throw invalid(name, 'its name is used twice')
  }
  return resolved
}

function resolvePool({ name, ranges }: Pool): ResolvedPool {
  if (!isPoolName(name)) {
    throw invalid(
      JSON.stringify(name),
      "its name must be a letter or digit, then letters, digits, '_', '.', '-'",
    )
  }
  const [first] = ranges
  if (first === undefined) throw invalid(name, 'it has no range')
  const family = prefixFamily(first.subnet)
  const resolved = ranges.map((range) => {
    if (prefixFamily(range.subnet) !== family) {
      throw invalid(
        name,
        `${range.subnet} is not IPv${family} as ${first.subnet}: use a pool for each family`,
      )
    }
    return resolveRange(name, range)
  })
  const intervals = resolved.flatMap(({ intervals }) => intervals)
  return {
    name,
    family,
    ranges: resolved.map(({ range }) => range),
    space: new AddressSpace(family, intervals),
  }
}

function resolveRange(pool: string, range: PoolRange): { range: ResolvedRange; intervals: Interval[] } {
  const { subnet, exclude = [] } = range
  const inSubnet = (ip: Ip, what: string): bigint => {
    if (!contains(subnet, ip)) throw invalid(pool, `${what} ${ip} is not in ${subnet}`, ip)
    return ipToBigInt(ip)
  }
  const gateway = range.gateway === 'none' ? undefined : (range.gateway ?? defaultGateway(subnet))
  if (gateway !== undefined) inSubnet(gateway, 'its gateway')
  const start = inSubnet(range.rangeStart ?? networkAddress(subnet), 'rangeStart')
  const end = inSubnet(range.rangeEnd ?? lastAddress(subnet), 'rangeEnd')
  if (start > end)
    throw invalid(
      pool,
      `rangeStart ${range.rangeStart} comes after rangeEnd ${range.rangeEnd ?? lastAddress(subnet)}`,
    )

  const reserved = reservedAddresses(subnet, gateway).map(({ ip }) => single(ip))
  const excluded = exclude.map((item) => {
    const { first, last } = boundsOf(item)
    const interval = { first: inSubnet(first, 'the excluded'), last: inSubnet(last, 'the excluded') }
    if (interval.first > interval.last)
      throw invalid(pool, `the excluded ${first} comes after ${last}`, first)
    return interval
  })
  const intervals = cutOut([{ first: start, last: end }], [...reserved, ...excluded])
  if (intervals.length === 0) {
    throw invalid(pool, `${subnet} has no address left to give: its reservations take all of them`)
  }
  return { range: { subnet, gateway, start, end }, intervals }
}

/** The range of a pool that an address is in. */
export function rangeOfAddress(pool: ResolvedPool, ip: Ip): ResolvedRange | undefined {
  return pool.ranges.find(({ subnet }) => contains(subnet, ip))
}

/** Why a pool may not give an address that is in one of its subnets. */
export function whyReserved({ subnet, gateway }: ResolvedRange, ip: Ip): string {
  const reserved = reservedAddresses(subnet, gateway).find((each) => each.ip === ip)
  return reserved === undefined
    ? `is excluded or outside the range of ${subnet}`
    : `is the ${reserved.what} of ${subnet}`
}

function reservedAddresses(subnet: Prefix, gateway: Ip | undefined): { ip: Ip; what: string }[] {
  const broadcast = broadcastAddress(subnet)
  return [
    ...(isPointToPoint(subnet) ? [] : [{ ip: networkAddress(subnet), what: 'network address' }]),
    ...(broadcast === undefined ? [] : [{ ip: broadcast as Ip, what: 'broadcast address' }]),
    ...(gateway === undefined ? [] : [{ ip: gateway, what: 'gateway' }]),
  ]
}

function defaultGateway(subnet: Prefix): Ip | undefined {
  if (isPointToPoint(subnet)) return undefined
  return ipFromBigInt(ipToBigInt(networkAddress(subnet)) + 1n, prefixFamily(subnet))
}

function isPointToPoint(subnet: Prefix): boolean {
  return prefixLength(subnet) >= (prefixFamily(subnet) === 4 ? 31 : 127)
}

function boundsOf(item: Ip | Prefix | IpRange): IpRange {
  if (typeof item !== 'string') return item
  if (!isPrefixText(item)) return { first: item, last: item }
  return { first: networkAddress(item), last: lastAddress(item) }
}

function isPrefixText(item: Ip | Prefix): item is Prefix {
  return item.includes('/')
}

function single(ip: Ip): Interval {
  const value = ipToBigInt(ip)
  return { first: value, last: value }
}

function show({ pool, range }: { pool: ResolvedPool; range: ResolvedRange }): string {
  return `${ipFromBigInt(range.start, pool.family)}-${ipFromBigInt(range.end, pool.family)}`
}

function invalid(pool: string, reason: string, address?: Ip): IpamError {
  const options = address === undefined ? { pool } : { pool, address }
  return new IpamError('IPAM_INVALID_POOL', `invalid pool ${pool}: ${reason}`, options)
}
