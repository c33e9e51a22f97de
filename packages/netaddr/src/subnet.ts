import { type Ip, isV4 } from './ip.ts'
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from './ipv4.ts'
import { type Ipv6, ipv6FromWords, ipv6ToWords } from './ipv6.ts'
import { addressPart, type IfAddress, type Prefix, prefixFamily, prefixLength, wordMask } from './prefix.ts'

const scratch = new Uint32Array(8)

/** Whether `ip` is in the network. Never across families. */
export function contains(prefix: Prefix | IfAddress, ip: Ip): boolean {
  return sameFirstBits(addressPart(prefix), ip, prefixLength(prefix))
}

/** Whether two networks share an address: one of them contains the other. Never across families. */
export function overlaps(a: Prefix, b: Prefix): boolean {
  return sameFirstBits(addressPart(a), addressPart(b), Math.min(prefixLength(a), prefixLength(b)))
}

/** Whether every address of `inner` is in `outer`. */
export function covers(outer: Prefix, inner: Prefix): boolean {
  return prefixLength(outer) <= prefixLength(inner) && overlaps(outer, inner)
}

function sameFirstBits(a: Ip, b: Ip, bits: number): boolean {
  const aIs4 = isV4(a)
  if (aIs4 !== isV4(b)) return false
  if (aIs4) return ((ipv4ToNumber(a) ^ ipv4ToNumber(b as Ipv4)) & wordMask(bits)) === 0
  ipv6ToWords(a, scratch, 0)
  ipv6ToWords(b as Ipv6, scratch, 4)
  for (let w = 0; 32 * w < bits; w++) {
    if ((((scratch[w] ?? 0) ^ (scratch[w + 4] ?? 0)) & wordMask(bits - 32 * w)) !== 0) return false
  }
  return true
}

/** How many addresses the network has: a power of two, so the number is exact even for `::/0`. */
export function prefixSize(prefix: Prefix): number {
  return 2 ** ((prefixFamily(prefix) === 4 ? 32 : 128) - prefixLength(prefix))
}

/** The address at `index`, 0 being the network address. `RangeError` outside the network. */
export function addressAt(prefix: Prefix, index: number | bigint): Ip {
  if (typeof index === 'number' && !Number.isSafeInteger(index)) {
    throw new RangeError(`index ${index} is not a whole number below 2^53; pass a bigint`)
  }
  if (index < 0 || index >= prefixSize(prefix)) {
    throw new RangeError(`index ${index} is outside ${prefix}, which has ${prefixSize(prefix)} addresses`)
  }
  const base = addressPart(prefix)
  if (isV4(base)) return ipv4FromNumber(ipv4ToNumber(base) + Number(index))
  ipv6ToWords(base, scratch, 0)
  writeIndex(index)
  for (let w = 0; w < 4; w++) scratch[w] = (scratch[w] ?? 0) | (scratch[w + 4] ?? 0)
  return ipv6FromWords(scratch)
}

/** The index as four words at `scratch[4]`. The network has no host bits, so it can be or-ed in. */
function writeIndex(index: number | bigint): void {
  if (typeof index === 'number') {
    scratch[4] = 0
    scratch[5] = 0
    scratch[6] = Math.floor(index / 0x1_0000_0000)
    scratch[7] = index % 0x1_0000_0000
    return
  }
  for (let w = 7; w >= 4; w--) {
    scratch[w] = Number(index & 0xffff_ffffn)
    index >>= 32n
  }
}

/**
 * The index of `ip` in the network, 0 being the network address; -1 when it is outside.
 * `RangeError` for an index of 2^53 or more, which only networks of more than 2^53 addresses have: see `bigIndexOf`.
 */
export function indexOf(prefix: Prefix, ip: Ip): number {
  if (!contains(prefix, ip)) return -1
  const base = addressPart(prefix)
  if (isV4(base)) return ipv4ToNumber(ip as Ipv4) - ipv4ToNumber(base)
  hostWords(prefix, ip as Ipv6)
  if (scratch[0] !== 0 || scratch[1] !== 0 || (scratch[2] ?? 0) >= 0x20_0000) {
    throw new RangeError(`the index of ${ip} in ${prefix} is 2^53 or more; use bigIndexOf`)
  }
  return (scratch[2] ?? 0) * 0x1_0000_0000 + (scratch[3] ?? 0)
}

/** As `indexOf`, exact for every network; -1n when `ip` is outside. */
export function bigIndexOf(prefix: Prefix, ip: Ip): bigint {
  if (!contains(prefix, ip)) return -1n
  if (isV4(ip)) return BigInt(indexOf(prefix, ip))
  hostWords(prefix, ip)
  let index = 0n
  for (let w = 0; w < 4; w++) index = (index << 32n) | BigInt(scratch[w] ?? 0)
  return index
}

function hostWords(prefix: Prefix, ip: Ipv6): void {
  const length = prefixLength(prefix)
  ipv6ToWords(ip, scratch, 0)
  for (let w = 0; w < 4; w++) scratch[w] = (scratch[w] ?? 0) & ~wordMask(length - 32 * w)
}

/** The last address of the network, for both families. */
export function lastAddress(prefix: Prefix): Ip {
  const length = prefixLength(prefix)
  const base = addressPart(prefix)
  if (isV4(base)) return ipv4FromNumber(ipv4ToNumber(base) | ~wordMask(length))
  ipv6ToWords(base, scratch, 0)
  for (let w = 0; w < 4; w++) scratch[w] = (scratch[w] ?? 0) | ~wordMask(length - 32 * w)
  return ipv6FromWords(scratch)
}

/** The broadcast address; undefined where there is none: IPv6, /31 (RFC 3021) and /32. */
export function broadcastAddress(prefix: Prefix): Ipv4 | undefined {
  const base = addressPart(prefix)
  const length = prefixLength(prefix)
  if (!isV4(base) || length >= 31) return undefined
  return ipv4FromNumber(ipv4ToNumber(base) | ~wordMask(length))
}
