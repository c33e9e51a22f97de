import type { Ipv4, Ipv6 } from '@podfabric/netaddr'
import type { Name } from './name.ts'
import type { RecordClass } from './record-type.ts'

/** Data of a record, told apart by `type`. */
export type RecordData =
  | AddressData
  | { readonly type: 'CNAME' | 'NS' | 'PTR'; readonly target: Name }
  | SrvData
  | { readonly type: 'MX'; readonly preference: number; readonly exchange: Name }
  /** One or more strings of at most 255 octets. */
  | { readonly type: 'TXT'; readonly strings: readonly Uint8Array[] }
  | SoaData
  | UnknownData

export type AddressData =
  | { readonly type: 'A'; readonly address: Ipv4 }
  | { readonly type: 'AAAA'; readonly address: Ipv6 }

/** RFC 2782. */
export interface SrvData {
  readonly type: 'SRV'
  readonly priority: number
  readonly weight: number
  readonly port: number
  readonly target: Name
}

/** RFC 1035, section 3.3.13; all numbers but the serial in seconds. `minimum` is the time a negative answer may be kept. */
export interface SoaData {
  readonly type: 'SOA'
  readonly primary: Name
  readonly mailbox: Name
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  readonly minimum: number
}

/** Octets of a type, or of a class, that has no layout here (RFC 3597). They survive a round trip. */
export interface UnknownData {
  readonly type: `TYPE${number}`
  readonly data: Uint8Array
}

/** A resource record. `ttl` is in seconds, 0 to 2^31 - 1. */
export type ResourceRecord = RecordData & {
  readonly name: Name
  readonly class: RecordClass
  readonly ttl: number
}

export type RecordOf<T extends RecordData['type']> = Extract<ResourceRecord, { readonly type: T }>
