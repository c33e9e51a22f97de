import { type IfAddress, type Ip, parseIfAddress, parseIp } from '@podfabric/netaddr'
import { type Format, json } from '@podfabric/store'
import * as v from 'valibot'
import type { Owner } from './owner.ts'

/** One address of an owner. */
export interface AllocatedAddress {
  /** The pool that gave it. */
  readonly pool: string
  /** With its subnet's prefix length, as an interface takes it. */
  readonly address: IfAddress
  /** Of the range it was given from, where that has one. */
  readonly gateway?: Ip
}

/** What an owner holds. */
export interface Allocation {
  readonly owner: Owner
  /** One of each pool, in the order of the pools. */
  readonly addresses: readonly AllocatedAddress[]
  /** Milliseconds since the epoch, by the clock of the allocator that made it. */
  readonly allocatedAt: number
  /** The store's revision that made it. */
  readonly revision: number
}

/** What the store holds under an owner's key. */
export interface OwnerRecord {
  readonly addresses: readonly AllocatedAddress[]
  readonly allocatedAt: number
}

const recordSchema = v.object({
  addresses: v.array(
    v.object({
      pool: v.string(),
      address: v.pipe(v.string(), v.transform(parseIfAddress)),
      gateway: v.exactOptional(v.pipe(v.string(), v.transform(parseIp))),
    }),
  ),
  allocatedAt: v.number(),
})

/** The text of an owner's record. */
export const ownerRecord: Format<OwnerRecord> = json((value): OwnerRecord => {
  const result = v.safeParse(recordSchema, value)
  if (result.success) return result.output
  throw new Error(v.summarize(result.issues))
})
