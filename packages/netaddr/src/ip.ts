import { AddressError } from './address-error.ts'
import { type Ipv4, ipv4FromNumber, ipv4ToNumber, isIpv4, parseIpv4, readIpv4 } from './ipv4.ts'
import { type Ipv6, ipv6FromWords, ipv6ToWords, isIpv6, parseIpv6 } from './ipv6.ts'

/** An IPv4 or IPv6 address as a canonical string: equal addresses are equal strings. */
export type Ip = Ipv4 | Ipv6

export type Family = 4 | 6

export const UNSPECIFIED_IPV4 = '0.0.0.0' as Ipv4
export const UNSPECIFIED_IPV6 = '::' as Ipv6
export const LOOPBACK_IPV4 = '127.0.0.1' as Ipv4
export const LOOPBACK_IPV6 = '::1' as Ipv6
export const BROADCAST_IPV4 = '255.255.255.255' as Ipv4

const words = new Uint32Array(4)

/** The canonical form of an IPv4 or IPv6 address, or `AddressError`. */
export function parseIp(text: string): Ip {
  if (text.includes(':')) return parseIpv6(text)
  if (readIpv4(text, 0, text.length) >= 0) return text as Ipv4
  if (/^[\d.]+$/.test(text)) return parseIpv4(text)
  throw new AddressError(text, 'an IP address like 10.0.0.1 or fd00::1', reasonAgainst(text))
}

function reasonAgainst(text: string): string | undefined {
  return text.includes('/') ? 'remove the prefix length' : undefined
}

/** True only for canonical text. */
export function isIp(text: string): text is Ip {
  return isIpv4(text) || isIpv6(text)
}

export function familyOf(ip: Ip): Family {
  return ip.includes(':') ? 6 : 4
}

/** True for IPv4, narrowing the type; costs one scan of the string. */
export function isV4(ip: Ip): ip is Ipv4 {
  return !ip.includes(':')
}

/** Four octets for IPv4, sixteen for IPv6, in network order; a fresh array, or written at `out[offset]`. */
export function ipToBytes(ip: Ip, out?: Uint8Array, offset = 0): Uint8Array {
  if (isV4(ip)) {
    const bytes = out ?? new Uint8Array(offset + 4)
    writeWord(bytes, offset, ipv4ToNumber(ip))
    return bytes
  }
  const bytes = out ?? new Uint8Array(offset + 16)
  ipv6ToWords(ip, words)
  for (let w = 0; w < 4; w++) writeWord(bytes, offset + 4 * w, words[w] ?? 0)
  return bytes
}

/** The address in the 4 or 16 octets at `offset`. `RangeError` when there are fewer. */
export function ipFromBytes(bytes: Uint8Array, offset: number, family: 4): Ipv4
export function ipFromBytes(bytes: Uint8Array, offset: number, family: 6): Ipv6
export function ipFromBytes(bytes: Uint8Array, offset: number, family: Family): Ip
/** The address in all of `bytes`, 4 or 16 of them. */
export function ipFromBytes(bytes: Uint8Array): Ip
export function ipFromBytes(bytes: Uint8Array, offset = 0, family: Family = bytes.length === 16 ? 6 : 4): Ip {
  const length = family === 4 ? 4 : 16
  if (offset < 0 || offset + length > bytes.length) {
    throw new RangeError(
      `an IPv${family} address needs ${length} octets at ${offset}, there are ${bytes.length} in all`,
    )
  }
  if (family === 4) return ipv4FromNumber(readWord(bytes, offset))
  for (let w = 0; w < 4; w++) words[w] = readWord(bytes, offset + 4 * w)
  return ipv6FromWords(words)
}

/** The address as one integer. For arithmetic at the edges; packet paths use numbers and words. */
export function ipToBigInt(ip: Ip): bigint {
  if (isV4(ip)) return BigInt(ipv4ToNumber(ip))
  ipv6ToWords(ip, words)
  let value = 0n
  for (const word of words) value = (value << 32n) | BigInt(word)
  return value
}

/** The address with this integer. `RangeError` outside the family's range. */
export function ipFromBigInt(value: bigint, family: Family): Ip {
  if (value < 0n || value >> (family === 4 ? 32n : 128n) !== 0n) {
    throw new RangeError(`${value} is outside the IPv${family} address range`)
  }
  if (family === 4) return ipv4FromNumber(Number(value))
  for (let w = 3; w >= 0; w--) {
    words[w] = Number(value & 0xffff_ffffn)
    value >>= 32n
  }
  return ipv6FromWords(words)
}

/** Order by family, then by number: a comparator for `sort`. */
export function compareIp(a: Ip, b: Ip): number {
  if (a === b) return 0
  const aIs4 = isV4(a)
  const bIs4 = isV4(b)
  if (aIs4 && bIs4) return ipv4ToNumber(a) - ipv4ToNumber(b)
  if (aIs4 || bIs4) return aIs4 ? -1 : 1
  const x = new Uint32Array(8)
  ipv6ToWords(a, x, 0)
  ipv6ToWords(b as Ipv6, x, 4)
  for (let w = 0; w < 4; w++) {
    const difference = (x[w] ?? 0) - (x[w + 4] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** The address one higher, or undefined after the family's last. */
export function next<T extends Ip>(ip: T): T | undefined {
  return offsetIp(ip, 1)
}

/** The address one lower, or undefined before the family's first. */
export function previous<T extends Ip>(ip: T): T | undefined {
  return offsetIp(ip, -1)
}

function offsetIp<T extends Ip>(ip: T, by: 1 | -1): T | undefined {
  if (isV4(ip)) {
    const value = ipv4ToNumber(ip) + by
    return value < 0 || value > 0xffff_ffff ? undefined : (ipv4FromNumber(value) as T)
  }
  ipv6ToWords(ip as Ipv6, words)
  for (let w = 3; w >= 0; w--) {
    const value = (words[w] ?? 0) + by
    words[w] = value
    if (value >= 0 && value <= 0xffff_ffff) return ipv6FromWords(words) as T
  }
  return undefined
}

function readWord(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}

function writeWord(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
