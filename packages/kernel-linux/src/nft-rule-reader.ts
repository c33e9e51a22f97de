import type {
  NftExpression,
  NftFamily,
  NftField,
  NftKey,
  NftLookup,
  NftMapping,
  NftVerdict,
} from '@podfabric/kernel'
import { ipFromBytes } from '@podfabric/netaddr'
import { CMP_EQ, CMP_GTE, CMP_LTE, CMP_NEQ, META_L4PROTO, META_MARK, nftFields } from './nft-field.ts'
import type { NftInstruction, NftLoad } from './nft-instruction.ts'
import type { NftKinds } from './nft-key.ts'
import { comparedInterval, fieldOf, isLoad, oneOctet, versionOf } from './nft-loaded-field.ts'
import { registersOf } from './nft-lookup.ts'
import { splitLoads } from './nft-merged-load.ts'
import type { NftSetFacts } from './nft-set.ts'
import {
  ICMP_PORT_UNREACHABLE,
  ICMPV6_PORT_UNREACHABLE,
  ICMPX_PORT_UNREACHABLE,
  NAT_DNAT,
  NAT_MAP_ADDRESS,
  NAT_PORT_GIVEN,
  NAT_RANDOM,
  NAT_SNAT,
  NFPROTO_IPV6,
  REJECT_ICMP,
  REJECT_ICMPX,
  REJECT_TCP_RESET,
} from './nft-statement.ts'
import {
  inKernelOrder,
  masked,
  type NftInterval,
  type NftKind,
  nftKinds,
  numberOf,
  printedValue,
} from './nft-value.ts'
import { printedVerdict } from './nft-verdict.ts'

/** A set or map that a rule asks, with what it holds in the contract's words. */
export interface PrintedSet extends Pick<NftSetFacts, 'key' | 'to'> {
  readonly elements: readonly (NftMapping | { readonly key: NftKey })[]
}

/** The set or map of that name in the rule's table; undefined where the contract has no words for it. */
export type PrintedSets = (name: string) => PrintedSet | undefined

type Match = Extract<NftExpression, { readonly match: unknown }>
type Wanted = Extract<NftExpression, { readonly match: NftField; readonly mask?: never }>['value']
type Lookup = Extract<NftInstruction, { readonly name: 'lookup' }>
/** What reads a value that can be compared or looked up. */
type Source = NftLookup['key']

/**
 * A rule in the contract's words; undefined where it has none for it. Reads what this package writes, and what
 * nft(8) writes for the same words.
 */
export function raiseRule(
  instructions: readonly NftInstruction[],
  family: NftFamily,
  sets: PrintedSets,
): readonly NftExpression[] | undefined {
  return new RuleReader(splitLoads(instructions), family, sets).read()
}

interface MappedRegister {
  readonly to: number
  readonly lookup: NftLookup
  readonly data: NftKinds
}

class RuleReader {
  readonly #all: readonly NftInstruction[]
  readonly #sets: PrintedSets
  readonly #read: NftExpression[] = []
  readonly #registers = new Map<number, Uint8Array>()
  /** What a map was asked for, and where its value is. */
  #mapped: MappedRegister | undefined
  #at = 0
  #version: 4 | 6 | undefined
  /** What was made sure of and not used yet: the version of the packet, its transport protocol. */
  #pendingVersion = false
  #protocol: number | undefined
  #pendingProtocol = false

  constructor(instructions: readonly NftInstruction[], family: NftFamily, sets: PrintedSets) {
    this.#all = instructions
    this.#sets = sets
    this.#version = family === 'ip' ? 4 : family === 'ip6' ? 6 : undefined
  }

  read(): readonly NftExpression[] | undefined {
    while (this.#at < this.#all.length) if (!this.#step()) return undefined
    if (this.#pendingVersion || this.#mapped !== undefined) return undefined
    this.#settleProtocol()
    return this.#read
  }

  #take(): NftInstruction | undefined {
    return this.#all[this.#at++]
  }

  /** Whether there were words for it. */
  #step(): boolean {
    const next = this.#take()
    switch (next?.name) {
      case 'payload':
      case 'meta':
      case 'ct':
      case 'fib':
        return this.#marking(next) || this.#match(next)
      case 'numgen':
        return this.#number(next)
      case 'immediate':
        this.#registers.set(next.to, next.data)
        return true
      case 'meta set': {
        const mark = this.#registers.get(next.from)
        if (next.key !== META_MARK || mark?.length !== 4) return false
        return this.#push({ setMark: numberOf(inKernelOrder('mark', mark)) })
      }
      case 'counter':
        return this.#push({ counter: { packets: next.packets, bytes: next.bytes } })
      case 'verdict':
        return this.#verdict(printedVerdict(next))
      case 'masq':
        if ((next.flags & ~NAT_RANDOM) !== 0) return false
        return this.#push({ masquerade: next.flags === 0 ? {} : { random: true } })
      case 'nat':
        return this.#nat(next)
      case 'reject':
        return this.#reject(next.type, next.code)
      default:
        return false
    }
  }

  #push(expression: NftExpression): boolean {
    this.#settleProtocol()
    this.#read.push(expression)
    return true
  }

  /** A transport protocol that nothing behind it needed was asked for by whoever wrote the rule. */
  #settleProtocol(): void {
    if (!this.#pendingProtocol || this.#protocol === undefined) return
    const value = printedValue('inet_proto', oneOctet(this.#protocol))
    if (value !== undefined) this.#read.push({ match: 'meta l4proto', value })
    this.#pendingProtocol = false
    this.#protocol = undefined
  }

  #match(load: NftLoad): boolean {
    if (load.to !== 1) return false
    if (this.#ensures(load)) return true
    const [field, second, ...others] = this.#fields(load)
    if (field === undefined) return false
    if (second !== undefined) return this.#ask([field, second, ...others])
    const { kind } = nftFields[field]
    if (this.#isLookup()) return this.#ask(field)
    const octets = load.name === 'payload' ? load.length : nftKinds[kind].length
    const test = this.#test(kind, octets)
    if (test === undefined) return false
    const { invert, mask, value } = test
    if (mask === undefined) return this.#compares(field, invert, value)
    if (typeof value !== 'number' || field !== 'meta mark') return false
    this.#read.push(invert ? { match: field, mask, op: '!=', value } : { match: field, mask, value })
    return true
  }

  #compares(field: NftField, invert: boolean, value: Wanted): boolean {
    this.#read.push(invert ? { match: field, op: '!=', value } : { match: field, value })
    return true
  }

  /** The fields that are loaded: one, or all of a concatenation. None where some load is of no field. */
  #fields(first: NftLoad): readonly NftField[] {
    const fields: NftField[] = []
    for (let load: NftInstruction | undefined = first; load !== undefined && isLoad(load); ) {
      const field = fieldOf(load, this.#version, this.#protocol)
      if (field === undefined) return []
      fields.push(field)
      let at = this.#at
      while (this.#all[at]?.name === 'byteorder') at++
      load = this.#all[at]
      if (load === undefined || !isLoad(load) || load.to === 1) break
      this.#at = at + 1
    }
    const needs = fields.map((field) => nftFields[field])
    if (needs.some(({ version }) => version !== undefined)) this.#pendingVersion = false
    if (needs.some(({ protocol }) => protocol !== undefined)) this.#pendingProtocol = false
    else this.#settleProtocol()
    return fields
  }

  #isLookup(): boolean {
    let at = this.#at
    while (this.#all[at]?.name === 'byteorder') at++
    return this.#all[at]?.name === 'lookup'
  }

  /** Takes a look-up of what was loaded, in a set or a map. */
  #ask(key: Source): boolean {
    let next = this.#take()
    while (next?.name === 'byteorder') next = this.#take()
    if (next?.name !== 'lookup' || next.from !== 1) return false
    if (next.to !== undefined) return this.#askMap(key, next)
    const { set, invert } = next
    const list = this.#sets(set)?.elements.map((element) => element.key)
    const value = isAnonymous(set) ? list : { set }
    if (value === undefined) return false
    // The fields and the keys of the set agree, or the kernel would not have taken the rule.
    const match = { match: key, ...(invert ? { op: '!=' } : {}), value } as Match
    this.#read.push(match)
    return true
  }

  #askMap(key: Source, { set, to }: Lookup): boolean {
    const found = this.#sets(set)
    if (found?.to === undefined) return false
    const mappings = found.elements.filter((element): element is NftMapping => 'to' in element)
    const lookup: NftLookup = { key, map: isAnonymous(set) ? mappings : set }
    if (found.to === 'verdict') return to === 0 && this.#push({ vmap: lookup })
    if (to !== 1) return false
    this.#mapped = { to, lookup, data: found.to }
    return true
  }

  #number({ to, modulus, random }: Extract<NftInstruction, { readonly name: 'numgen' }>): boolean {
    if (to !== 1) return false
    this.#settleProtocol()
    return this.#ask(random ? `numgen random mod ${modulus}` : `numgen inc mod ${modulus}`)
  }

  /** Takes a change of some bits of the mark. */
  #marking(load: NftLoad): boolean {
    const [bitwise, set] = this.#all.slice(this.#at, this.#at + 2)
    if (load.name !== 'meta' || load.key !== META_MARK || load.to !== 1) return false
    if (bitwise?.name !== 'bitwise' || bitwise.at !== 1) return false
    if (set?.name !== 'meta set' || set.key !== META_MARK || set.from !== 1) return false
    const kept = numberOf(inKernelOrder('mark', bitwise.mask))
    const setMark = numberOf(inKernelOrder('mark', bitwise.xor))
    if ((kept & setMark) !== 0) return false
    const mask = ~kept >>> 0
    if (mask === 0) return false
    this.#at += 2
    return this.#push(mask === 0xffff_ffff ? { setMark } : { setMark, mask })
  }

  /** Takes a comparison that only makes sure of a version or protocol. */
  #ensures(load: NftInstruction): boolean {
    const test = this.#all[this.#at]
    if (load.name !== 'meta' || test?.name !== 'cmp' || test.op !== CMP_EQ) return false
    const version = versionOf(load.key, numberOf(test.data))
    if (version !== undefined) {
      if (this.#pendingVersion) return false
      this.#version = version
      this.#pendingVersion = true
    } else if (load.key === META_L4PROTO && test.data.length === 1) {
      this.#settleProtocol()
      this.#protocol = test.data[0]
      this.#pendingProtocol = true
    } else return false
    this.#at++
    return true
  }

  #test(
    kind: NftKind,
    octets: number,
  ): { readonly invert: boolean; readonly mask?: number; readonly value: Wanted } | undefined {
    let next = this.#take()
    const swapped = next?.name === 'byteorder'
    if (next?.name === 'byteorder') next = this.#take()
    const inOrder = (data: Uint8Array) => (swapped ? data : inKernelOrder(kind, data))
    const one = (interval: NftInterval, invert: boolean) => {
      const value = printedValue(kind, interval)
      return value === undefined ? undefined : { invert, value }
    }
    if (next?.name === 'bitwise') return this.#masked(kind, next)
    if (next?.name === 'range')
      return one({ first: inOrder(next.first), last: inOrder(next.last) }, next.op === CMP_NEQ)
    if (next?.name !== 'cmp') return undefined
    if (next.op === CMP_GTE) {
      const end = this.#take()
      if (end?.name !== 'cmp' || end.op !== CMP_LTE) return undefined
      return one({ first: inOrder(next.data), last: inOrder(end.data) }, false)
    }
    if (next.op !== CMP_EQ && next.op !== CMP_NEQ) return undefined
    const interval = comparedInterval(kind, inOrder(next.data), octets)
    return interval === undefined ? undefined : one(interval, next.op === CMP_NEQ)
  }

  /** A prefix, or the bits of a connection. */
  #masked(kind: NftKind, { mask, xor }: Extract<NftInstruction, { readonly name: 'bitwise' }>) {
    const test = this.#take()
    if (test?.name !== 'cmp' || numberOf(xor) !== 0) return undefined
    if (kind === 'mark') {
      const [bits, value] = [numberOf(inKernelOrder(kind, mask)), numberOf(inKernelOrder(kind, test.data))]
      if ((value & ~bits) !== 0 || (test.op !== CMP_EQ && test.op !== CMP_NEQ)) return undefined
      return { invert: test.op === CMP_NEQ, mask: bits, value }
    }
    if (kind === 'ipv4_addr' || kind === 'ipv6_addr') {
      const interval = masked(test.data, mask)
      const value = interval === undefined ? undefined : printedValue(kind, interval)
      if (value === undefined || (test.op !== CMP_EQ && test.op !== CMP_NEQ)) return undefined
      return { invert: test.op === CMP_NEQ, value }
    }
    if ((kind !== 'ct_state' && kind !== 'ct_status') || numberOf(test.data) !== 0 || test.op !== CMP_NEQ)
      return undefined
    const bits = numberOf(inKernelOrder(kind, mask))
    const names = Object.entries(nftKinds[kind].names ?? {}).filter(([, bit]) => (bits & bit) !== 0)
    if (names.reduce((sum, [, bit]) => sum + bit, 0) !== bits) return undefined
    const [first, second] = names
    if (first === undefined) return undefined
    if (second === undefined) return { invert: false, value: first[0] }
    // A connection has one state, so a mask of several means what a list of them does; of other bits it does not.
    return kind === 'ct_state' ? { invert: false, value: names.map(([name]) => name) } : undefined
  }

  #verdict(verdict: NftVerdict | undefined): boolean {
    return verdict !== undefined && this.#push(verdict)
  }

  #nat(nat: Extract<NftInstruction, { readonly name: 'nat' }>): boolean {
    const { type, address, port, flags } = nat
    if (this.#mapped !== undefined) return this.#mappedNat(nat, this.#mapped)
    const octets = this.#registers.get(address)
    const portOctets = port === undefined ? undefined : this.#registers.get(port)
    if (octets === undefined || (port !== undefined && portOctets === undefined)) return false
    if ((octets.length !== 4 && octets.length !== 16) || (flags & ~(NAT_MAP_ADDRESS | NAT_PORT_GIVEN)) !== 0)
      return false
    const to = {
      address: ipFromBytes(octets),
      ...(portOctets === undefined ? {} : { port: numberOf(portOctets) }),
    }
    if (type === NAT_SNAT) return this.#push({ snat: to })
    return type === NAT_DNAT && this.#push({ dnat: to })
  }

  #mappedNat(
    { type, address, port, family, flags }: Extract<NftInstruction, { readonly name: 'nat' }>,
    { to, lookup, data }: MappedRegister,
  ): boolean {
    this.#mapped = undefined
    const [kind, service] = data
    const at = service === undefined ? undefined : registersOf(data)[1]
    const wanted = family === NFPROTO_IPV6 ? 'ipv6_addr' : 'ipv4_addr'
    if (kind !== wanted || data.length > 2 || (service ?? 'inet_service') !== 'inet_service') return false
    if (address !== to || port !== at || (flags & ~(NAT_MAP_ADDRESS | NAT_PORT_GIVEN)) !== 0) return false
    const target = { family: family === NFPROTO_IPV6 ? 'ip6' : 'ip', ...lookup } as const
    if (type === NAT_SNAT) return this.#push({ snat: target })
    return type === NAT_DNAT && this.#push({ dnat: target })
  }

  #reject(type: number, code: number): boolean {
    if (type === REJECT_TCP_RESET) {
      if (this.#protocol !== 6) return false
      this.#pendingProtocol = false
      return this.#push({ reject: 'tcp reset' })
    }
    const icmp = this.#version === 6 ? ICMPV6_PORT_UNREACHABLE : ICMP_PORT_UNREACHABLE
    const plain =
      (type === REJECT_ICMPX && code === ICMPX_PORT_UNREACHABLE) || (type === REJECT_ICMP && code === icmp)
    return plain && this.#push({ reject: 'icmp' })
  }
}

function isAnonymous(set: string): boolean {
  return set.startsWith('__')
}
