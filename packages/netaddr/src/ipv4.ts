import { AddressError } from './address-error.ts'
import type { Branded } from './brand.ts'

/** An IPv4 address in its only form, four decimal numbers without leading zeros: `10.244.1.2`. */
export type Ipv4 = Branded<'ipv4'>

export const IPV4_EXPECTED = 'an IPv4 address like 10.0.0.1'

/** The canonical address, or `AddressError`. Leading zeros, signs, hex, short forms and spaces are refused. */
export function parseIpv4(text: string): Ipv4 {
  if (readIpv4(text, 0, text.length) < 0) throw new AddressError(text, IPV4_EXPECTED, reasonAgainst(text))
  return text as Ipv4
}

export function isIpv4(text: string): text is Ipv4 {
  return readIpv4(text, 0, text.length) >= 0
}

/** The address as an unsigned 32-bit number, first octet in the highest bits. */
export function ipv4ToNumber(ip: Ipv4): number {
  let value = 0
  let octet = 0
  for (let i = 0; i < ip.length; i++) {
    const c = ip.charCodeAt(i)
    if (c === 46) {
      value = (value << 8) | octet
      octet = 0
    } else {
      octet = octet * 10 + c - 48
    }
  }
  return ((value << 8) | octet) >>> 0
}

/** The address with this number; only its lowest 32 bits count, so signed results of `|` and `<<` are fine. */
export function ipv4FromNumber(value: number): Ipv4 {
  return `${(value >>> 24) & 255}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}` as Ipv4
}

/** The number of the IPv4 address in `text[start, end)`, or -1. */
export function readIpv4(text: string, start: number, end: number): number {
  if (end - start < 7 || end - start > 15) return -1
  let value = 0
  let octet = -1
  let octets = 0
  for (let i = start; i < end; i++) {
    const c = text.charCodeAt(i)
    if (c === 46) {
      if (octet < 0 || ++octets > 3) return -1
      value = value * 256 + octet
      octet = -1
    } else if (c >= 48 && c <= 57) {
      if (octet === 0) return -1
      octet = octet < 0 ? c - 48 : octet * 10 + c - 48
      if (octet > 255) return -1
    } else {
      return -1
    }
  }
  return octets === 3 && octet >= 0 ? value * 256 + octet : -1
}

function reasonAgainst(text: string): string | undefined {
  if (/^\d+(\.\d+){3}$/.test(text) && /(^|\.)0\d/.test(text)) return 'write its numbers without leading zeros'
  if (text.trim() !== text) return 'remove the spaces around it'
  if (text.includes('/')) return 'remove the prefix length'
  return undefined
}
