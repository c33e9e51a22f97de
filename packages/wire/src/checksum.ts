import { ipToBytes } from '@podfabric/netaddr'
import type { PseudoHeader } from './codec.ts'
import { simdSum } from './simd-sum.ts'

// The Internet checksum, RFC 1071: the one's complement of the one's complement sum of 16-bit words.

/** From here on SIMD is worth copying for. */
const LONG = 128

/**
 * Adds the octets of `bytes[start, end)` to a running sum of 16-bit words. Sums of pieces can be chained where each
 * piece but the last has an even length. Sums are equal up to multiples of 0xffff: pass the result on, or to
 * `foldChecksum`.
 */
export function sumWords(bytes: Uint8Array, start: number, end: number, sum = 0): number {
  if (end - start >= LONG) {
    const found = simdSum(bytes, start, end)
    if (found !== undefined) return sum + found
  }
  return sum + loopSum(bytes, start, end)
}

/** The same by a loop. Octets of even and odd place are added apart, and stay below 2^53 for any length. */
export function loopSum(bytes: Uint8Array, start: number, end: number): number {
  let high = 0
  let low = 0
  let i = start
  for (; i < end - 3; i += 4) {
    high += (bytes[i] as number) + (bytes[i + 2] as number)
    low += (bytes[i + 1] as number) + (bytes[i + 3] as number)
  }
  for (; i < end - 1; i += 2) {
    high += bytes[i] as number
    low += bytes[i + 1] as number
  }
  if (i < end) high += bytes[i] as number
  return high * 256 + low
}

/** The checksum field for a sum: folded to 16 bits and complemented. */
export function foldChecksum(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded % 0x1_0000) + Math.floor(folded / 0x1_0000)
  return folded ^ 0xffff
}

/**
 * The Internet checksum of `bytes[start, end)`, 0 to 0xffff. Over a message whose own checksum field is filled in
 * and right, the result is 0.
 */
export function internetChecksum(bytes: Uint8Array, start = 0, end = bytes.length): number {
  return foldChecksum(sumWords(bytes, start, end))
}

const octets = new Uint8Array(32)

/** The sum over the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1), to chain `sumWords` on. */
export function pseudoHeaderSum(addresses: PseudoHeader, protocol: number, length: number): number {
  const source = ipToBytes(addresses.source, octets, 0)
  const size = addresses.source.includes(':') ? 16 : 4
  ipToBytes(addresses.destination, octets, size)
  return sumWords(source, 0, 2 * size, protocol + (length >>> 16) + (length & 0xffff))
}

/**
 * The checksum after one 16-bit word that it covers changed (RFC 1624 equation 3). `checksum`, `before` and
 * `after` are 0 to 0xffff.
 */
export function updateChecksum(checksum: number, before: number, after: number): number {
  let sum = (~checksum & 0xffff) + (~before & 0xffff) + after
  sum = (sum & 0xffff) + (sum >>> 16)
  sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** As `updateChecksum`, for a 32-bit word such as an IPv4 address. */
export function updateChecksum32(checksum: number, before: number, after: number): number {
  const upper = updateChecksum(checksum, (before >>> 16) & 0xffff, (after >>> 16) & 0xffff)
  return updateChecksum(upper, before & 0xffff, after & 0xffff)
}
