import { AddressError } from './address-error.ts'
import type { Branded } from './brand.ts'
import { ipv4FromNumber, readIpv4 } from './ipv4.ts'

/**
 * An IPv6 address in the canonical form of RFC 5952: lower case, no leading zeros, the longest run of two
 * or more zero groups as `::`, and the last 32 bits of `::ffff:0:0/96` in dotted form.
 */
export type Ipv6 = Branded<'ipv6'>

export const IPV6_EXPECTED = 'an IPv6 address like fd00::1'

const scratch = new Uint32Array(4)

/** The canonical address, or `AddressError`. Any form of RFC 4291 is read; zone ids (`%eth0`) are refused. */
export function parseIpv6(text: string): Ipv6 {
  if (!readIpv6(text, 0, text.length, scratch, 0)) {
    const zone = text.indexOf('%')
    const reason = zone < 0 ? undefined : `remove the zone id ${text.slice(zone)}; name the link separately`
    throw new AddressError(text, IPV6_EXPECTED, reason)
  }
  return ipv6FromWords(scratch, 0)
}

/** True only for the canonical form; `parseIpv6` reads the others. */
export function isIpv6(text: string): text is Ipv6 {
  return readIpv6(text, 0, text.length, scratch, 0) && ipv6FromWords(scratch, 0) === text
}

/** Writes the address as four unsigned 32-bit words, most significant first, at `words[offset]`. */
export function ipv6ToWords(ip: Ipv6, words: Uint32Array, offset = 0): void {
  if (!readIpv6(ip, 0, ip.length, words, offset)) throw new AddressError(ip, IPV6_EXPECTED)
}

/** The address made of the four words at `words[offset]`, most significant first. */
export function ipv6FromWords(words: Uint32Array, offset = 0): Ipv6 {
  const a = words[offset] ?? 0
  const b = words[offset + 1] ?? 0
  const c = words[offset + 2] ?? 0
  const d = words[offset + 3] ?? 0
  if (a === 0 && b === 0 && c === 0xffff) return `::ffff:${ipv4FromNumber(d)}` as Ipv6
  return formatGroups([
    a >>> 16,
    a & 0xffff,
    b >>> 16,
    b & 0xffff,
    c >>> 16,
    c & 0xffff,
    d >>> 16,
    d & 0xffff,
  ])
}

function formatGroups(groups: readonly number[]): Ipv6 {
  let best = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let end = i
    while (end < 8 && groups[end] === 0) end++
    if (end - i > bestLength) {
      best = i
      bestLength = end - i
    }
    if (end > i) i = end - 1
  }
  let text = ''
  for (let i = 0; i < 8; i++) {
    if (i === best) {
      text += '::'
      i += bestLength - 1
    } else {
      if (i > 0 && i !== best + bestLength) text += ':'
      text += (groups[i] ?? 0).toString(16)
    }
  }
  return text as Ipv6
}

const groups = new Uint16Array(8)

/** Reads the IPv6 address in `text[start, end)` into four words, or returns false and leaves them alone. */
export function readIpv6(
  text: string,
  start: number,
  end: number,
  words: Uint32Array,
  offset: number,
): boolean {
  if (end - start < 2 || end - start > 45) return false
  let count = 0
  let gap = -1
  let i = start
  if (text.charCodeAt(i) === 58) {
    if (text.charCodeAt(i + 1) !== 58) return false
    gap = 0
    i += 2
  }
  while (i < end) {
    if (count === 8) return false
    const from = i
    let value = 0
    let c = -1
    while (i < end) {
      c = text.charCodeAt(i)
      const digit = hexDigit(c)
      if (digit < 0) break
      value = value * 16 + digit
      if (++i - from > 4) return false
    }
    if (i < end && c === 46) {
      const last = readIpv4(text, from, end)
      if (last < 0 || count > 6) return false
      groups[count++] = last >>> 16
      groups[count++] = last & 0xffff
      i = end
      break
    }
    if (i === from) return false
    groups[count++] = value
    if (i === end) break
    if (c !== 58) return false
    i++
    if (i === end) return false
    if (text.charCodeAt(i) === 58) {
      if (gap >= 0) return false
      gap = count
      i++
    }
  }
  if (gap < 0 ? count !== 8 : count > 7) return false
  if (gap >= 0) {
    groups.copyWithin(gap + 8 - count, gap, count)
    groups.fill(0, gap, gap + 8 - count)
  }
  for (let w = 0; w < 4; w++) {
    words[offset + w] = (((groups[2 * w] ?? 0) << 16) | (groups[2 * w + 1] ?? 0)) >>> 0
  }
  return true
}

function hexDigit(c: number): number {
  if (c >= 48 && c <= 57) return c - 48
  if (c >= 97 && c <= 102) return c - 87
  if (c >= 65 && c <= 70) return c - 55
  return -1
}
