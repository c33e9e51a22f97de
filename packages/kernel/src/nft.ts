/**
 * nftables objects as data, in the words of nft(8). Transactions are the only atomic change a kernel
 * has: either every command of one applies, or none.
 */
export type NftCommand =
  | { readonly verb: 'add' | 'create'; readonly object: NftObject }
  | { readonly verb: 'delete'; readonly object: NftObject }
  | { readonly verb: 'flush'; readonly object: NftTable | NftChain | NftSet }

export type NftObject = NftTable | NftChain | NftRule | NftSet | NftElements

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
  readonly name: string
  readonly type: NftKeyType
  /** Elements may be prefixes and ranges. Default false. */
  readonly interval?: boolean
}

export type NftKeyType = 'ipv4_addr' | 'ipv6_addr' | 'inet_service' | 'ifname' | 'mark'

export interface NftElements {
  readonly kind: 'elements'
  readonly family: NftFamily
  readonly table: string
  readonly set: string
  readonly elements: readonly NftValue[]
}

/** An address, a prefix in CIDR form, a port, a mark, a link's name, or a conntrack state. */
export type NftValue = string | number

export type NftField =
  | 'ip saddr'
  | 'ip daddr'
  | 'ip6 saddr'
  | 'ip6 daddr'
  | 'tcp sport'
  | 'tcp dport'
  | 'udp sport'
  | 'udp dport'
  | 'meta l4proto'
  | 'meta mark'
  | 'iifname'
  | 'oifname'
  | 'ct state'
  | 'ct status'
  | 'fib daddr type'

export type NftExpression =
  | {
      readonly match: NftField
      /** Default `==`, which for a list or a set means "is one of". */
      readonly op?: '==' | '!='
      readonly value: NftValue | readonly NftValue[] | { readonly set: string }
    }
  | { readonly counter: { readonly packets: number; readonly bytes: number } }
  | { readonly verdict: 'accept' | 'drop' | 'return' }
  | { readonly jump: string }
  | { readonly goto: string }
  /** Rewrites the source to the address of the link it leaves by. nat chains at postrouting. */
  | { readonly masquerade: { readonly random?: boolean } }
  | { readonly snat: { readonly address: string; readonly port?: number } }
  | { readonly dnat: { readonly address: string; readonly port?: number } }
  | { readonly reject: 'icmp' | 'tcp reset' }
  | { readonly setMark: number }

/** nftables of one namespace. */
export interface Nft {
  /** Applies all commands as one transaction, or none. ENOENT, EEXIST, EINVAL, EOPNOTSUPP. */
  apply(commands: readonly NftCommand[]): Promise<void>
  /** Every object, tables first, rules in order and with their handles. */
  list(): Promise<readonly NftObject[]>
}
