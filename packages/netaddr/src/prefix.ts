import { AddressError } from './address-error.ts'
import type { Branded } from './brand.ts'
import { type Family, type Ip, isV4, parseIp } from './ip.ts'
import { type Ipv4, ipv4FromNumber, ipv4ToNumber } from './ipv4.ts'
import { type Ipv6, ipv6FromWords, ipv6ToWords } from './ipv6.ts'

/** A network: an address without host bits, and a length. `10.244.1.0/24`, `fd00::/64`. */
export type Prefix = Branded<'prefix'>

/** An address of an interface together with its network's length, host bits kept: `10.244.1.2/24`. */
export type IfAddress = Branded<'if-address'>

const PREFIX_EXPECTED = 'a prefix like 10.244.1.0/24 or fd00::/64'
const IF_ADDRESS_EXPECTED = 'an interface address like 10.244.1.2/24 or fd00::2/64'

/** The canonical prefix, or `AddressError`. Host bits are refused, and the message says the prefix without them. */
export function parsePrefix(text: string): Prefix {
  const { address, length } = split(text, PREFIX_EXPECTED)
  const network = mask(address, length)
  if (network !== address) {
    throw new AddressError(text, PREFIX_EXPECTED, `it has host bits set; the network is ${network}/${length}`)
  }
  return `${address}/${length}` as Prefix
}

/** The canonical address with its length, or `AddressError`. */
export function parseIfAddress(text: string): IfAddress {
  const { address, length } = split(text, IF_ADDRESS_EXPECTED)
  return `${address}/${length}` as IfAddress
}

/** True only for canonical text without host bits. */
export function isPrefix(text: string): text is Prefix {
  return accepts(parsePrefix, text)
}

/** True only for canonical text. Every prefix is also an interface address. */
export function isIfAddress(text: string): text is IfAddress {
  return accepts(parseIfAddress, text)
}

function accepts(parse: (text: string) => string, text: string): boolean {
  try {
    return parse(text) === text
  } catch (error) {
    if (error instanceof AddressError) return false
    throw error
  }
}

function split(text: string, expected: string): { address: Ip; length: number } {
  const slash = text.indexOf('/')
  if (slash < 0) throw new AddressError(text, expected, 'the prefix length is missing')
  const digits = text.slice(slash + 1)
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) {
    throw new AddressError(text, expected, 'the prefix length is a decimal number without leading zeros')
  }
  const address = parseAddressPart(text, text.slice(0, slash), expected)
  const length = Number(digits)
  const bits = isV4(address) ? 32 : 128
  if (length > bits) throw new AddressError(text, expected, `the prefix length is at most ${bits}`)
  return { address, length }
}

function parseAddressPart(text: string, part: string, expected: string): Ip {
  try {
    return parseIp(part)
  } catch (cause) {
    if (!(cause instanceof AddressError)) throw cause
    const error = new AddressError(text, expected, cause.message)
    error.cause = cause
    throw error
  }
}

/** The prefix of `length` bits around `ip`, host bits cleared. `RangeError` when the length does not fit the family. */
export function prefixFrom(ip: Ip, length: number): Prefix {
  const bits = isV4(ip) ? 32 : 128
  if (!Number.isInteger(length) || length < 0 || length > bits) {
    throw new RangeError(`prefix length ${length} of ${ip} is not between 0 and ${bits}`)
  }
  return `${mask(ip, length)}/${length}` as Prefix
}

/** `ip` as an interface address; without a length, a host's own: /32 or /128. */
export function ifAddressFrom(ip: Ip, length: number = isV4(ip) ? 32 : 128): IfAddress {
  prefixFrom(ip, length)
  return `${ip}/${length}` as IfAddress
}

/** The network that an interface address is in: host bits cleared. */
export function prefixOf(address: IfAddress | Prefix): Prefix {
  return prefixFrom(addressPart(address), prefixLength(address))
}

/** The address without its length. */
export function addressOf(address: IfAddress): Ip {
  return addressPart(address)
}

/** The first address of a network. */
export function networkAddress(prefix: Prefix | IfAddress): Ip {
  return mask(addressPart(prefix), prefixLength(prefix))
}

export function prefixLength(prefix: Prefix | IfAddress): number {
  return Number(prefix.slice(prefix.lastIndexOf('/') + 1))
}

export function prefixFamily(prefix: Prefix | IfAddress): Family {
  return prefix.includes(':') ? 6 : 4
}

export function addressPart(prefix: Prefix | IfAddress): Ip {
  return prefix.slice(0, prefix.lastIndexOf('/')) as Ip
}

const words = new Uint32Array(4)

/** `ip` with all but its first `length` bits cleared. */
export function mask(ip: Ip, length: number): Ip {
  if (isV4(ip)) return maskIpv4(ip, length)
  return maskIpv6(ip, length)
}

function maskIpv4(ip: Ipv4, length: number): Ipv4 {
  return ipv4FromNumber(ipv4ToNumber(ip) & wordMask(length))
}

function maskIpv6(ip: Ipv6, length: number): Ipv6 {
  ipv6ToWords(ip, words)
  for (let w = 0; w < 4; w++) words[w] = (words[w] ?? 0) & wordMask(length - 32 * w)
  return ipv6FromWords(words)
}

/** A 32-bit mask of the first `bits` bits, clamped to 0 and 32. A signed number. */
export function wordMask(bits: number): number {
  if (bits <= 0) return 0
  return bits >= 32 ? -1 : -1 << (32 - bits)
}
