import { KernelError, type NftKeyType, type NftValue } from '@podfabric/kernel'
import {
  AddressError,
  type Family,
  familyOf,
  type Ip,
  ipFromBytes,
  ipToBytes,
  lastAddress,
  networkAddress,
  type Prefix,
  parseIfAddress,
  parseIp,
  prefixOf,
} from '@podfabric/netaddr'
import { u32At } from '@podfabric/wire'
import type { Interval } from './interval-table.ts'

/** What a set's keys, or a field's values, are. `integer` is what counting and chance give. */
export type ValueKind = NftKeyType | 'integer' | 'fib_addrtype' | 'ct_state' | 'ct_status'

const protocols: Readonly<Record<string, number>> = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  udp: 17,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  'ipv6-icmp': 58,
  sctp: 132,
}
/** Numbers as in Linux' rtnetlink. */
export const addressTypes: Readonly<Record<string, number>> = {
  unspec: 0,
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
}
export const stateBits: Readonly<Record<string, number>> = {
  invalid: 1,
  established: 2,
  related: 4,
  new: 8,
  untracked: 64,
}
export const statusBits: Readonly<Record<string, number>> = {
  expected: 1,
  'seen-reply': 2,
  assured: 4,
  confirmed: 8,
  snat: 16,
  dnat: 32,
  dying: 512,
}

const numbers: Readonly<
  Record<string, { readonly names: Readonly<Record<string, number>>; readonly most: number }>
> = {
  inet_service: { names: {}, most: 0xffff },
  mark: { names: {}, most: 0xffff_ffff },
  integer: { names: {}, most: 0xffff_ffff },
  inet_proto: { names: protocols, most: 0xff },
  fib_addrtype: { names: addressTypes, most: 0xffff_ffff },
  ct_state: { names: stateBits, most: 0xffff_ffff },
  ct_status: { names: statusBits, most: 0xffff_ffff },
}

export function invalid(reason: string, cause?: unknown): KernelError {
  return new KernelError('EINVAL', 'nft', reason, { cause })
}

/** The numbers that a value means: itself, all of a prefix, or a range. EINVAL for what is none of the kind. */
export function intervalOf(kind: ValueKind, value: NftValue): Interval {
  if (kind === 'ipv4_addr') return addresses(value, 4)
  if (kind === 'ipv6_addr') return addresses(value, 6)
  const [first, last] = rangeOf(kind, value)
  if (last < first) throw invalid(`${value} ends before it begins`)
  return { first: Uint32Array.of(first), last: Uint32Array.of(last) }
}

function rangeOf(kind: ValueKind, value: NftValue): [first: number, last: number] {
  const spec = numbers[kind]
  if (spec === undefined) throw invalid(`${kind} has no numbers`)
  const ranged = kind === 'inet_service' || kind === 'mark' || kind === 'integer'
  const parts = ranged && typeof value === 'string' ? value.split('-') : [value]
  const read = parts.map((part) => numberOf(kind, part))
  const [first = 0, last = first] = read
  return [first, last]
}

function numberOf(kind: ValueKind, value: NftValue): number {
  const { names, most } = numbers[kind] ?? { names: {}, most: 0 }
  const named =
    typeof value === 'string' ? (Object.hasOwn(names, value) ? names[value] : undefined) : undefined
  const number =
    named ?? (typeof value === 'number' || /^(0x[\da-f]+|\d+)$/i.test(value) ? Number(value) : -1)
  if (Number.isInteger(number) && number >= 0 && number <= most) return number
  const choice = Object.keys(names)
  const expected = choice.length === 0 ? `a number up to ${most}` : `one of ${choice.join(', ')}`
  throw invalid(`${JSON.stringify(value)} is not ${expected}`)
}

function addresses(value: NftValue, family: Family): Interval {
  const text = String(value)
  try {
    const [first, last] = addressRange(text)
    if (familyOf(first) !== family || familyOf(last) !== family)
      throw invalid(`${text} is not of IPv${family}`)
    return { first: wordsOf(first), last: wordsOf(last) }
  } catch (error) {
    if (error instanceof AddressError) throw invalid(error.message, error)
    throw error
  }
}

function addressRange(text: string): [first: Ip, last: Ip] {
  if (text.includes('/')) {
    const prefix = prefixOf(parseIfAddress(text))
    return [networkAddress(prefix), lastAddress(prefix)]
  }
  const dash = text.indexOf('-')
  if (dash < 0) return [parseIp(text), parseIp(text)]
  const [first, last] = [parseIp(text.slice(0, dash)), parseIp(text.slice(dash + 1))]
  return [first, last]
}

/** One word for IPv4, four for IPv6. */
export function wordsOf(address: Ip): Uint32Array {
  const octets = ipToBytes(address)
  const words = new Uint32Array(octets.length / 4)
  for (let i = 0; i < words.length; i++) words[i] = u32At(octets, 4 * i)
  return words
}

/** An interval as nft prints it: a value, a prefix, or a range. */
export function printedValue(kind: ValueKind, { first, last }: Interval): NftValue {
  const same = first.every((word, i) => word === last[i])
  if (kind === 'ipv4_addr' || kind === 'ipv6_addr') {
    const [from, to] = [addressFrom(first), addressFrom(last)]
    if (same) return from
    const length = prefixLengthOf(first, last)
    return length === undefined ? `${from}-${to}` : (`${from}/${length}` as Prefix)
  }
  const number = first[0] ?? 0
  if (!same) return `${number}-${last[0]}`
  const names = Object.entries(numbers[kind]?.names ?? {})
  return names.find(([, named]) => named === number)?.[0] ?? number
}

function addressFrom(words: Uint32Array): Ip {
  const octets = new Uint8Array(words.length * 4)
  words.forEach((word, i) => {
    new DataView(octets.buffer).setUint32(4 * i, word)
  })
  return ipFromBytes(octets)
}

/** The length of the prefix that is exactly this interval, if there is one. */
function prefixLengthOf(first: Uint32Array, last: Uint32Array): number | undefined {
  let length = 0
  let host = false
  for (let i = 0; i < first.length; i++) {
    for (let bit = 31; bit >= 0; bit--) {
      const [a, b] = [((first[i] ?? 0) >>> bit) & 1, ((last[i] ?? 0) >>> bit) & 1]
      if (!host && a === b) length++
      else if (a === 0 && b === 1) host = true
      else return undefined
    }
  }
  return length
}

/** IFNAMSIZ. */
const NAME_OCTETS = 16
const utf8 = new TextEncoder()
const text8 = new TextDecoder()

/** A link's name as four words, its octets in order. EINVAL for what cannot be one. */
export function wordsOfName(name: string): Uint32Array {
  const octets = utf8.encode(name)
  if (octets.length === 0 || octets.length >= NAME_OCTETS || octets.includes(0)) {
    throw invalid(`${JSON.stringify(name)} is not the name of a link`)
  }
  const padded = new Uint8Array(NAME_OCTETS)
  padded.set(octets)
  return Uint32Array.of(u32At(padded, 0), u32At(padded, 4), u32At(padded, 8), u32At(padded, 12))
}

/** Writes the words of a name; those of one that is not ASCII are no link's. */
export function writeNameWords(name: string, words: Uint32Array, at: number): void {
  for (let word = 0; word < 4; word++) {
    let value = 0
    for (let i = 4 * word; i < 4 * word + 4; i++) {
      value = (value << 8) | (i < name.length ? name.charCodeAt(i) & 0xff : 0)
    }
    words[at + word] = value >>> 0
  }
}

export function nameOf(words: Uint32Array): string {
  const octets = new Uint8Array(NAME_OCTETS)
  const view = new DataView(octets.buffer)
  for (let i = 0; i < 4; i++) view.setUint32(4 * i, words[i] ?? 0)
  return text8.decode(octets.subarray(0, octets.indexOf(0)))
}

/** EINVAL for what cannot be a link's name, or the beginning of one with `*` behind. */
export function linkName(name: string): string {
  if (name.length === 0 || name.length > 15)
    throw invalid(`${JSON.stringify(name)} is not the name of a link`)
  return name
}
