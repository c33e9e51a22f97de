import type { NftExpression, NftFamily, NftField, NftValue } from '@podfabric/kernel'
import { ipFromBytes } from '@podfabric/netaddr'
import {
  CMP_EQ,
  CMP_GTE,
  CMP_LTE,
  CMP_NEQ,
  META_L4PROTO,
  META_MARK,
  META_NFPROTO,
  META_PROTOCOL,
  NETWORK_HEADER,
  nftFields,
} from './nft-field.ts'
import type { NftInstruction } from './nft-instruction.ts'
import { splitLoads } from './nft-merged-load.ts'
import {
  ICMP_PORT_UNREACHABLE,
  ICMPV6_PORT_UNREACHABLE,
  ICMPX_PORT_UNREACHABLE,
  NAT_DNAT,
  NAT_MAP_ADDRESS,
  NAT_PORT_GIVEN,
  NAT_RANDOM,
  NAT_SNAT,
  REJECT_ICMP,
  REJECT_ICMPX,
  REJECT_TCP_RESET,
  VERDICT_ACCEPT,
  VERDICT_DROP,
  VERDICT_GOTO,
  VERDICT_JUMP,
  VERDICT_RETURN,
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

/** The elements of a set without a name; undefined where they have no words. */
export type AnonymousSets = (name: string) => readonly NftValue[] | undefined

type Wanted = Extract<NftExpression, { readonly match: NftField }>['value']

/**
 * A rule in the contract's words; undefined where it has none for it. Reads what this package writes, and what
 * nft(8) writes for the same words.
 */
export function raiseRule(
  instructions: readonly NftInstruction[],
  family: NftFamily,
  sets: AnonymousSets,
): readonly NftExpression[] | undefined {
  return new RuleReader(splitLoads(instructions), family, sets).read()
}

class RuleReader {
  readonly #all: readonly NftInstruction[]
  readonly #sets: AnonymousSets
  readonly #read: NftExpression[] = []
  readonly #registers = new Map<number, Uint8Array>()
  #at = 0
  #version: 4 | 6 | undefined
  /** What was made sure of and not used yet: the version of the packet, its transport protocol. */
  #pendingVersion = false
  #protocol: number | undefined
  #pendingProtocol = false

  constructor(instructions: readonly NftInstruction[], family: NftFamily, sets: AnonymousSets) {
    this.#all = instructions
    this.#sets = sets
    this.#version = family === 'ip' ? 4 : family === 'ip6' ? 6 : undefined
  }

  read(): readonly NftExpression[] | undefined {
    while (this.#at < this.#all.length) if (!this.#step()) return undefined
    if (this.#pendingVersion) return undefined
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
        return this.#match(next)
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
        return this.#verdict(next.code, next.chain)
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

  #match(load: Extract<NftInstruction, { readonly to: number }>): boolean {
    if (load.to !== 1) return false
    if (this.#ensures(load)) return true
    const field = fieldOf(load, this.#version, this.#protocol)
    if (field === undefined) return false
    const { kind, version, protocol } = nftFields[field]
    if (version !== undefined) this.#pendingVersion = false
    if (protocol !== undefined) this.#pendingProtocol = false
    else this.#settleProtocol()
    const octets = load.name === 'payload' ? load.length : nftKinds[kind].length
    const test = this.#test(kind, octets)
    if (test === undefined) return false
    const { invert, value } = test
    this.#read.push(invert ? { match: field, op: '!=', value } : { match: field, value })
    return true
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

  #test(kind: NftKind, octets: number): { readonly invert: boolean; readonly value: Wanted } | undefined {
    let next = this.#take()
    const swapped = next?.name === 'byteorder'
    if (next?.name === 'byteorder') next = this.#take()
    const inOrder = (data: Uint8Array) => (swapped ? data : inKernelOrder(kind, data))
    const one = (interval: NftInterval, invert: boolean) => {
      const value = printedValue(kind, interval)
      return value === undefined ? undefined : { invert, value }
    }
    if (next?.name === 'lookup') return this.#lookup(next)
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

  #lookup({ set, invert }: Extract<NftInstruction, { readonly name: 'lookup' }>) {
    if (!set.startsWith('__')) return { invert, value: { set } }
    const value = this.#sets(set)
    return value === undefined ? undefined : { invert, value }
  }

  /** A prefix, or the bits of a connection. */
  #masked(kind: NftKind, { mask, xor }: Extract<NftInstruction, { readonly name: 'bitwise' }>) {
    const test = this.#take()
    if (test?.name !== 'cmp' || numberOf(xor) !== 0) return undefined
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

  #verdict(code: number, chain = ''): boolean {
    switch (code) {
      case VERDICT_ACCEPT:
        return this.#push({ verdict: 'accept' })
      case VERDICT_DROP:
        return this.#push({ verdict: 'drop' })
      case VERDICT_RETURN:
        return this.#push({ verdict: 'return' })
      case VERDICT_JUMP:
        return this.#push({ jump: chain })
      case VERDICT_GOTO:
        return this.#push({ goto: chain })
      default:
        return false
    }
  }

  #nat({ type, address, port, flags }: Extract<NftInstruction, { readonly name: 'nat' }>): boolean {
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

function oneOctet(value: number): NftInterval {
  return { first: Uint8Array.of(value), last: Uint8Array.of(value) }
}

function versionOf(key: number, value: number): 4 | 6 | undefined {
  if (key === META_NFPROTO) return value === 2 ? 4 : value === 10 ? 6 : undefined
  if (key === META_PROTOCOL) return value === 0x0800 ? 4 : value === 0x86dd ? 6 : undefined
  return undefined
}

/** Which field is loaded: of an address also its first octets only, as nft does for some prefixes. */
function fieldOf(
  load: NftInstruction,
  version: 4 | 6 | undefined,
  protocol: number | undefined,
): NftField | undefined {
  for (const [name, field] of Object.entries(nftFields)) {
    const known = field.load
    if (field.version !== undefined && field.version !== version) continue
    if (field.protocol !== undefined && field.protocol !== protocol) continue
    if (load.name === 'payload' && known.name === 'payload') {
      const shorter = load.base === NETWORK_HEADER && load.length < known.length
      if (load.base !== known.base || load.offset !== known.offset) continue
      if (load.length === known.length || shorter) return name as NftField
    } else if (load.name === 'fib' && known.name === 'fib') {
      if (load.result === known.result && load.flags === known.flags) return name as NftField
    } else if ((load.name === 'meta' || load.name === 'ct') && known.name === load.name) {
      if (load.key === known.key) return name as NftField
    }
  }
  return undefined
}

/** What equals `data`: fewer octets than a field has mean all values that begin so. */
function comparedInterval(kind: NftKind, data: Uint8Array, octets: number): NftInterval | undefined {
  const { length } = nftKinds[kind]
  const known = Math.min(data.length, octets)
  if (known === length) return { first: data, last: data }
  const open = kind === 'ifname' || ((kind === 'ipv4_addr' || kind === 'ipv6_addr') && known === octets)
  if (!open || data.length > length) return undefined
  const first = new Uint8Array(length)
  first.set(data)
  const last = new Uint8Array(length).fill(0xff)
  last.set(data)
  return { first, last }
}
