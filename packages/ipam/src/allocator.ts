import type { Ip } from '@podfabric/netaddr'
import { isIp } from '@podfabric/netaddr'
import type { Clock, Damage, Store } from '@podfabric/store'
import { AddressIndex } from './address-index.ts'
import type { Allocation } from './allocation.ts'
import type { Collected } from './collect.ts'
import type { Owner } from './owner.ts'
import { type Pool, resolvePools } from './pool.ts'
import { cursorKey, StoreAllocator } from './store-allocator.ts'

/** What an allocator needs. */
export interface AllocatorOptions {
  /** Each owner gets one address of each pool, in this order. */
  readonly pools: readonly Pool[]
  /** Tells when an allocation was made; nothing is decided by it. */
  readonly clock: Pick<Clock, 'now'>
}

/** How an allocation is wanted. */
export interface AllocateOptions {
  /** Addresses the owner must have, at most one of each pool; the other pools choose. */
  readonly requested?: readonly Ip[]
}

/** How full a pool is. */
export interface PoolStatus {
  readonly name: string
  /** Addresses it may give, exact up to 2^53. */
  readonly capacity: number
  /** Of these, how many have an owner, as far as this process has heard from the store. */
  readonly allocated: number
}

/** All that is allocated at one revision, and apart from it the records that cannot be read. */
export interface AllocationList {
  readonly revision: number
  readonly allocations: readonly Allocation[]
  readonly damaged: readonly Damage[]
}

/** Which owners `collect` must leave alone, and from when its knowledge is. */
export interface CollectOptions {
  /** Every owner of this network that may be alive. */
  readonly valid: Iterable<Pick<Owner, 'containerId' | 'ifName'>>
  /**
   * What was allocated after this revision is left alone. Take it from `revision()` before `valid` is gathered: then an owner
   * that came while that went on is never collected.
   */
  readonly asOf: number
}

/**
 * Gives addresses to owners and takes them back. An address has one owner, and an owner keeps what it has,
 * whichever of several allocators over the same store, in one process or many, is asked: each change is one
 * transaction that holds only if nobody else was faster.
 *
 * All calls pass on errors of the store. After STORE_UNAVAILABLE a call may or may not have had its effect; make it again.
 */
export interface Allocator {
  /**
   * One address of each pool for this owner; the same again if it has them already. Addresses are given round robin:
   * one that was released is given again after all others. All or nothing.
   *
   * Fails with IPAM_EXHAUSTED; for requested addresses with IPAM_OUT_OF_RANGE or IPAM_ADDRESS_IN_USE; with
   * IPAM_OWNER_CONFLICT when the owner has addresses that are not of these pools or not those requested; IPAM_INVALID_OWNER.
   */
  allocate(owner: Owner, options?: AllocateOptions): Promise<Allocation>
  /** Takes back all that the owner has and returns it; undefined, and no error, when it has nothing. */
  release(owner: Owner): Promise<Allocation | undefined>
  /** What the owner has, or undefined. */
  get(owner: Owner): Promise<Allocation | undefined>
  /** Every allocation, or those of one network, ascending by network, container and interface. Reads the store. */
  list(network?: string): Promise<AllocationList>
  /** The store's revision now. */
  revision(): Promise<number>
  /** Releases what owners of `network` hold that are not valid any more; see `CollectOptions`. Goes on past what fails. */
  collect(network: string, options: CollectOptions): Promise<Collected>
  /** How full the pools are. Costs nothing. */
  status(): PoolStatus[]
  /** Stops following the store; allocations stay, the store stays open. Other calls must have ended. */
  close(): Promise<void>
}

/**
 * An allocator over `store`, ready once it has read what is allocated. The store's keys `addresses/`, `owners/` and
 * `cursors/` are its own: give each network, or whatever else counts addresses for itself, a scoped store.
 * Fails with IPAM_INVALID_POOL.
 */
export async function allocator(store: Store, options: AllocatorOptions): Promise<Allocator> {
  const pools = resolvePools(options.pools)
  const index = new AddressIndex(store, pools)
  try {
    await index.start()
    for (const [number, { name }] of pools.entries()) {
      const last = (await store.get(cursorKey(name)))?.value
      if (last !== undefined && isIp(last)) index.resumeAfter(number, last)
    }
  } catch (error) {
    index.stop()
    throw error
  }
  return new StoreAllocator(store, pools, index, options.clock)
}
