import { compareIp, familyOf, type Ip, ipToBigInt } from './ip.ts'
import { networkAddress, type Prefix } from './prefix.ts'
import { lastAddress } from './subnet.ts'

/** Consecutive addresses of one family, both ends included. */
export interface IpRange {
  readonly first: Ip
  readonly last: Ip
}

/** The range from `first` to `last`. `RangeError` when they are of two families or in the wrong order. */
export function rangeFrom(first: Ip, last: Ip): IpRange {
  if (familyOf(first) !== familyOf(last))
    throw new RangeError(`${first} and ${last} are of different families`)
  if (compareIp(first, last) > 0) throw new RangeError(`${first} comes after ${last}; swap them`)
  return { first, last }
}

/** Every address of the network, its network and broadcast addresses included. */
export function rangeOf(prefix: Prefix): IpRange {
  return { first: networkAddress(prefix), last: lastAddress(prefix) }
}

export function rangeContains(range: IpRange, ip: Ip): boolean {
  return (
    familyOf(range.first) === familyOf(ip) &&
    compareIp(range.first, ip) <= 0 &&
    compareIp(ip, range.last) <= 0
  )
}

export function rangesOverlap(a: IpRange, b: IpRange): boolean {
  if (familyOf(a.first) !== familyOf(b.first)) return false
  return compareIp(a.first, b.last) <= 0 && compareIp(b.first, a.last) <= 0
}

/** How many addresses the range has. */
export function rangeSize(range: IpRange): bigint {
  return ipToBigInt(range.last) - ipToBigInt(range.first) + 1n
}
