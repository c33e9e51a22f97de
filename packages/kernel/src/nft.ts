/**
 * nftables objects as data, in the words of nft(8). Transactions are the only atomic change a kernel
 * has: either every command of one applies, or none.
 */
export type NftCommand =
  | { readonly verb: 'add' | 'create'; readonly object: NftObject }
  | { readonly verb: 'delete'; readonly object: NftObject | NftMapKeys }
  | { readonly verb: 'flush'; readonly object: NftTable | NftChain | NftSet | NftMap }

export type NftObject = NftTable | NftChain | NftRule | NftSet | NftMap | NftElements

export type NftFamily = 'inet' | 'ip' | 'ip6' | 'bridge'

export interface NftTable {
  readonly kind: 'table'
  readonly family: NftFamily
  readonly name: string
}

export interface NftChain {
  readonly kind: 'chain'
  readonly family: NftFamily
  readonly table: string
  readonly name: string
  /** Where packets enter it; a chain without is only jumped to. */
  readonly base?: NftBase
}

export interface NftBase {
  readonly type: 'filter' | 'nat'
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting'
  /** Lower runs first: -100 dstnat, 0 filter, 100 srcnat. */
  readonly priority: number
  /** What becomes of a packet that no rule decided on. Default accept. */
  readonly policy?: 'accept' | 'drop'
}

export interface NftRule {
  readonly kind: 'rule'
  readonly family: NftFamily
  readonly table: string
  readonly chain: string
  /** Read left to right; the first match that fails ends the rule. */
  readonly expressions: readonly NftExpression[]
  /** At most 128 octets; ours begins with the mark. */
  readonly comment?: string
  /** Given by the kernel; names the rule in `delete`. */
  readonly handle?: number
}

export interface NftSet {
  readonly kind: 'set'
  readonly family: NftFamily
  readonly table: string
  /** Sets and maps of a table share their names. */
  readonly name: string
  readonly type: NftKeyType | NftConcatenation
  /** Elements may be prefixes and ranges; of a concatenation, each of its fields may. Default false. */
  readonly interval?: boolean
}

/** As a set, with a value for each key. One look-up costs the same however many elements there are. */
export interface NftMap {
  readonly kind: 'map'
  readonly family: NftFamily
  readonly table: string
  /** Sets and maps of a table share their names. */
  readonly name: string
  readonly type: NftKeyType | NftConcatenation
  /** What keys are mapped to: a verdict (for `vmap`), or data (for `snat` and `dnat`). */
  readonly to: 'verdict' | NftKeyType | NftConcatenation
  /** Keys may be prefixes and ranges, as a set's. Default false. */
  readonly interval?: boolean
}

export type NftKeyType = 'ipv4_addr' | 'ipv6_addr' | 'inet_proto' | 'inet_service' | 'ifname' | 'mark'

/** Several types as one, in order: `ipv4_addr . inet_proto . inet_service`. At most 64 octets, each field padded to 4. */
export type NftConcatenation = readonly [NftKeyType, NftKeyType, ...NftKeyType[]]

export type NftElements = NftSetElements | NftMapElements

export interface NftSetElements {
  readonly kind: 'elements'
  readonly family: NftFamily
  readonly table: string
  readonly set: string
  readonly elements: readonly NftKey[]
}

/**
 * Adding a key that is there is nothing with the same value, and EEXIST with another. A chain that an element jumps or
 * goes to cannot be deleted (EBUSY).
 */
export interface NftMapElements {
  readonly kind: 'elements'
  readonly family: NftFamily
  readonly table: string
  readonly map: string
  readonly elements: readonly NftMapping[]
}

/** Elements of a map as `delete` wants them; values, where there are some, are not looked at. */
export interface NftMapKeys {
  readonly kind: 'elements'
  readonly family: NftFamily
  readonly table: string
  readonly map: string
  readonly elements: readonly { readonly key: NftKey }[]
}

export interface NftMapping {
  readonly key: NftKey
  /** Of a verdict map a verdict; else data, one value for each type that the map has. */
  readonly to: NftVerdict | NftKey
}

/** An address, a prefix in CIDR form, a range, a port, a mark, a link's name, a protocol, or a conntrack state. */
export type NftValue = string | number

/** One value, or one for each field of a concatenation. */
export type NftKey = NftValue | readonly NftValue[]

export type NftVerdict =
  | { readonly verdict: 'accept' | 'drop' | 'return' }
  | { readonly jump: string }
  | { readonly goto: string }

/**
 * What rules read. `th` is the header of whatever transport protocol; in a rule that asked for one protocol before, `list`
 * gives its name instead, as nft does.
 */
export type NftField =
  | 'ip saddr'
  | 'ip daddr'
  | 'ip6 saddr'
  | 'ip6 daddr'
  | 'tcp sport'
  | 'tcp dport'
  | 'udp sport'
  | 'udp dport'
  | 'th sport'
  | 'th dport'
  | 'meta l4proto'
  | 'meta mark'
  | 'iifname'
  | 'oifname'
  | 'ct state'
  | 'ct status'
  | 'fib daddr type'

/** Fields read side by side, for a set or map whose keys are a concatenation of their types. */
export type NftFields = readonly [NftField, NftField, ...NftField[]]

/** A number from 0 to below N, by chance or in turn; N from 1 to 4294967295. For maps without a name only. */
export type NftNumber = `numgen random mod ${number}` | `numgen inc mod ${number}`

/** A value that is looked up in a map. A packet whose key is not in it does not match: the rule ends there. */
export interface NftLookup {
  readonly key: NftField | NftFields | NftNumber
  /** The name of a map, or what a map of this rule alone holds. */
  readonly map: string | readonly NftMapping[]
}

/** Where a packet is sent to, or said to come from: a given address, or what a map says. */
export type NftTarget =
  | { readonly address: string; readonly port?: number }
  /** The map's data is an address of this IP version, or an address and a port (`ipv4_addr . inet_service`). */
  | (NftLookup & { readonly family: 'ip' | 'ip6' })

export type NftExpression =
  | {
      readonly match: NftField
      /** Default `==`, which for a list or a set means "is one of". */
      readonly op?: '==' | '!='
      readonly value: NftValue | readonly NftValue[] | { readonly set: string }
    }
  /** Whether the fields together are in a set, or among these. */
  | {
      readonly match: NftFields
      readonly op?: '==' | '!='
      readonly value: readonly (readonly NftValue[])[] | { readonly set: string }
    }
  /** Compares only the bits of `mask`, one at least: `meta mark & mask == value`. `value` has no others. */
  | {
      readonly match: 'meta mark'
      readonly mask: number
      readonly op?: '==' | '!='
      readonly value: number
    }
  | { readonly counter: { readonly packets: number; readonly bytes: number } }
  | NftVerdict
  /** The verdict that a map of verdicts has for the packet. */
  | { readonly vmap: NftLookup }
  /** Rewrites the source to the address of the link it leaves by. nat chains at postrouting. */
  | { readonly masquerade: { readonly random?: boolean } }
  | { readonly snat: NftTarget }
  | { readonly dnat: NftTarget }
  | { readonly reject: 'icmp' | 'tcp reset' }
  /** Sets the bits of `mask`, by default all, to those of `setMark`, which has no others; the rest stay. */
  | { readonly setMark: number; readonly mask?: number }

/** nftables of one namespace. */
export interface Nft {
  /** Applies all commands as one transaction, or none. ENOENT, EEXIST, EBUSY, EINVAL, EOPNOTSUPP. */
  apply(commands: readonly NftCommand[]): Promise<void>
  /** Every object: tables, sets and maps with their elements in order of their keys, chains, rules in order and with handles. */
  list(): Promise<readonly NftObject[]>
}
