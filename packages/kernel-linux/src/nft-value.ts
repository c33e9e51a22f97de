import { KernelError, type NftKeyType, type NftValue } from '@podfabric/kernel'
import {
  AddressError,
  familyOf,
  ipFromBytes,
  ipToBytes,
  lastAddress,
  networkAddress,
  parseIfAddress,
  parseIp,
  prefixOf,
} from '@podfabric/netaddr'

/** What a set's keys, or a field's values, are. `integer` is what counting and chance give. */
export type NftKind = NftKeyType | 'integer' | 'fib_addrtype' | 'ct_state' | 'ct_status'

/** All values from `first` to `last`, both with the most significant octet first, of the kind's length. */
export interface NftInterval {
  readonly first: Uint8Array
  readonly last: Uint8Array
}

interface KindSpec {
  /** Octets. */
  readonly length: number
  /** nft's own number for the type, which it wants to find in a set to print it (nftables' datatype.h). */
  readonly code: number
  /** The kernel keeps it in the processor's order. */
  readonly hostOrder?: boolean
  readonly names?: Readonly<Record<string, number>>
}

/** IFNAMSIZ. */
const NAME_LENGTH = 16

export const nftKinds: Readonly<Record<NftKind, KindSpec>> = {
  integer: { length: 4, code: 4, hostOrder: true },
  ipv4_addr: { length: 4, code: 7 },
  ipv6_addr: { length: 16, code: 8 },
  inet_proto: {
    length: 1,
    code: 12,
    names: {
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
    },
  },
  inet_service: { length: 2, code: 13 },
  mark: { length: 4, code: 19, hostOrder: true },
  ct_state: {
    length: 4,
    code: 26,
    hostOrder: true,
    names: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  },
  ct_status: {
    length: 4,
    code: 28,
    hostOrder: true,
    names: { expected: 1, 'seen-reply': 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 },
  },
  fib_addrtype: {
    length: 4,
    code: 38,
    hostOrder: true,
    names: {
      unspec: 0,
      unicast: 1,
      local: 2,
      broadcast: 3,
      anycast: 4,
      multicast: 5,
      blackhole: 6,
      unreachable: 7,
      prohibit: 8,
    },
  },
  ifname: { length: NAME_LENGTH, code: 41 },
}

export function invalidNft(reason: string, cause?: unknown): KernelError {
  return new KernelError('EINVAL', 'nft', reason, cause === undefined ? undefined : { cause })
}

/** What a value stands for: itself, all of a prefix or range, all names that begin so. EINVAL for none of the kind. */
export function intervalOf(kind: NftKind, value: NftValue): NftInterval {
  const interval =
    kind === 'ipv4_addr' || kind === 'ipv6_addr'
      ? addresses(kind, String(value))
      : kind === 'ifname'
        ? names(String(value))
        : numbers(kind, value)
  if (compareOctets(interval.last, interval.first) < 0) throw invalidNft(`${value} ends before it begins`)
  return interval
}

export function isSingle({ first, last }: NftInterval): boolean {
  return compareOctets(first, last) === 0
}

function addresses(kind: 'ipv4_addr' | 'ipv6_addr', text: string): NftInterval {
  const wanted = kind === 'ipv4_addr' ? 4 : 6
  try {
    const [first, last] = addressRange(text)
    if (familyOf(first) !== wanted || familyOf(last) !== wanted)
      throw invalidNft(`${text} is not of IPv${wanted}`)
    return { first: ipToBytes(first), last: ipToBytes(last) }
  } catch (error) {
    if (error instanceof AddressError) throw invalidNft(error.message, error)
    throw error
  }
}

function addressRange(text: string) {
  if (text.includes('/')) {
    const prefix = prefixOf(parseIfAddress(text))
    return [networkAddress(prefix), lastAddress(prefix)] as const
  }
  const dash = text.indexOf('-')
  if (dash < 0) return [parseIp(text), parseIp(text)] as const
  return [parseIp(text.slice(0, dash)), parseIp(text.slice(dash + 1))] as const
}

const utf8 = new TextEncoder()
const text8 = new TextDecoder()

function names(text: string): NftInterval {
  const pattern = text.endsWith('*')
  const octets = utf8.encode(pattern ? text.slice(0, -1) : text)
  if (octets.length === 0 || octets.length >= NAME_LENGTH || octets.includes(0)) {
    throw invalidNft(`${JSON.stringify(text)} is not the name of a link`)
  }
  const first = new Uint8Array(NAME_LENGTH)
  first.set(octets)
  if (!pattern) return { first, last: first }
  const last = new Uint8Array(NAME_LENGTH).fill(0xff)
  last.set(octets)
  return { first, last }
}

function numbers(kind: NftKind, value: NftValue): NftInterval {
  const ranged =
    (kind === 'inet_service' || kind === 'mark' || kind === 'integer') && typeof value === 'string'
  const [first, last = first] = ranged ? value.split('-') : [value]
  return { first: number(kind, first ?? ''), last: number(kind, last ?? '') }
}

function number(kind: NftKind, value: NftValue): Uint8Array {
  const { length, names = {} } = nftKinds[kind]
  const most = 2 ** (8 * length) - 1
  const named = typeof value === 'string' && Object.hasOwn(names, value) ? names[value] : undefined
  const numeric = typeof value === 'number' || /^(0x[\da-f]+|\d+)$/i.test(value)
  const found = named ?? (numeric ? Number(value) : -1)
  if (!Number.isInteger(found) || found < 0 || found > most) {
    const choice = Object.keys(names)
    const expected = choice.length === 0 ? `a number up to ${most}` : `one of ${choice.join(', ')}`
    throw invalidNft(`${JSON.stringify(value)} is not ${expected}`)
  }
  return big(found, length)
}

/** A number with its most significant octet first. */
export function big(value: number, length: number): Uint8Array {
  const octets = new Uint8Array(length)
  let rest = value
  for (let i = length - 1; i >= 0; i--) {
    octets[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return octets
}

export function numberOf(octets: Uint8Array): number {
  return octets.reduce((sum, octet) => sum * 256 + octet, 0)
}

export function compareOctets(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** As the kernel keeps it, or back from that. */
export function inKernelOrder(kind: NftKind, octets: Uint8Array): Uint8Array {
  return nftKinds[kind].hostOrder === true ? octets.toReversed() : octets
}

/** An interval as nft prints it: a value, a prefix, a range or a pattern; undefined for what has no words. */
export function printedValue(kind: NftKind, { first, last }: NftInterval): NftValue | undefined {
  const single = compareOctets(first, last) === 0
  if (kind === 'ifname') return printedName(first, last, single)
  if (kind === 'ipv4_addr' || kind === 'ipv6_addr') {
    const from = ipFromBytes(first)
    if (single) return from
    const length = prefixLengthOf(first, last)
    return length === undefined ? `${from}-${ipFromBytes(last)}` : `${from}/${length}`
  }
  const { names } = nftKinds[kind]
  const value = numberOf(first)
  if (!single) return `${value}-${numberOf(last)}`
  return Object.entries(names ?? {}).find(([, number]) => number === value)?.[0] ?? value
}

function printedName(first: Uint8Array, last: Uint8Array, single: boolean): string | undefined {
  const end = first.indexOf(0)
  const name = text8.decode(end < 0 ? first : first.subarray(0, end))
  if (single) return name
  const isPattern = end > 0 && first.subarray(end).every((octet) => octet === 0)
  const reaches = last.every((octet, i) => octet === (i < end ? first[i] : 0xff))
  return isPattern && reaches ? `${name}*` : undefined
}

/** The length of the prefix that is exactly this interval, if there is one. */
function prefixLengthOf(first: Uint8Array, last: Uint8Array): number | undefined {
  let length = 0
  while (length < 8 * first.length && bit(first, length) === bit(last, length)) length++
  for (let i = length; i < 8 * first.length; i++)
    if (bit(first, i) !== 0 || bit(last, i) !== 1) return undefined
  return length
}

function bit(octets: Uint8Array, at: number): number {
  return ((octets[at >> 3] ?? 0) >> (7 - (at & 7))) & 1
}

/** The mask of an interval that is a prefix. */
export function maskOf(interval: NftInterval): Uint8Array | undefined {
  const length = prefixLengthOf(interval.first, interval.last)
  if (length === undefined) return undefined
  return interval.first.map((_, i) => {
    const bits = Math.min(8, Math.max(0, length - 8 * i))
    return 256 - 2 ** (8 - bits)
  })
}

/** The interval of a masked comparison; undefined where the mask is no prefix's. */
export function masked(first: Uint8Array, mask: Uint8Array): NftInterval | undefined {
  const interval = { first, last: first.map((octet, i) => octet | (~(mask[i] ?? 0) & 0xff)) }
  const found = maskOf(interval)
  return found !== undefined && compareOctets(found, mask) === 0 ? interval : undefined
}
