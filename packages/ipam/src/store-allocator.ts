import { addressOf, type Ip, ifAddressFrom, parseIp, prefixLength } from '@podfabric/netaddr'
import {
  type Clock,
  type Collection,
  collection,
  type Entry,
  type Item,
  type Operation,
  type Store,
  StoreError,
  type Transaction,
} from '@podfabric/store'
import { type AddressIndex, addressPrefix } from './address-index.ts'
import { type AllocatedAddress, type Allocation, type OwnerRecord, ownerRecord } from './allocation.ts'
import type { AllocateOptions, AllocationList, Allocator, CollectOptions, PoolStatus } from './allocator.ts'
import { type Collected, collect } from './collect.ts'
import { IpamError } from './ipam-error.ts'
import { describeOwner, type Owner, parseOwner } from './owner.ts'
import { type ResolvedPool, rangeOfAddress } from './pool.ts'
import { assignRequested } from './requested.ts'

/** An address that is being tried for an owner. */
interface Candidate {
  readonly pool: ResolvedPool
  readonly ip: Ip
  /** Its place in the index; -1 for a requested address, which is not taken from there. */
  readonly position: number
}

/** An allocator whose truth is a store, over an index that has been started. */
export class StoreAllocator implements Allocator {
  readonly #store: Store
  readonly #pools: readonly ResolvedPool[]
  readonly #index: AddressIndex
  readonly #clock: Pick<Clock, 'now'>
  readonly #owners: Collection<OwnerRecord>

  constructor(store: Store, pools: readonly ResolvedPool[], index: AddressIndex, clock: Pick<Clock, 'now'>) {
    this.#store = store
    this.#pools = pools
    this.#index = index
    this.#clock = clock
    this.#owners = collection(store, 'owners/', ownerRecord)
  }

  async allocate(owner: Owner, options: AllocateOptions = {}): Promise<Allocation> {
    const parsed = parseOwner(owner)
    const requested = assignRequested(this.#pools, options.requested ?? [])
    for (let justRead = false; ; ) {
      this.#index.check()
      const candidates = this.#pick(requested)
      if (Array.isArray(candidates)) {
        const allocation = await this.#try(parsed, candidates, requested)
        if (allocation !== undefined) return allocation
        justRead = false
        continue
      }
      // What others are trying may come back, and what they released may not have been reported yet. Judged now, before
      // anything else can happen.
      const settled = this.#index.untilSettled(candidates.full)
      const certain = settled === undefined && justRead && this.#index.isOfOneMoment()
      const existing = await this.get(parsed)
      if (existing !== undefined) return this.#sameAgain(existing, requested)
      if (certain) throw this.#exhausted(candidates.full)
      await (settled ?? this.#index.reread())
      justRead = settled === undefined
    }
  }

  async release(owner: Owner): Promise<Allocation | undefined> {
    const parsed = parseOwner(owner)
    for (;;) {
      const item = await this.#owners.get(nameOf(parsed))
      if (item === undefined) return undefined
      if (await this.#remove(item)) return allocationOf(parsed, item)
    }
  }

  async get(owner: Owner): Promise<Allocation | undefined> {
    const parsed = parseOwner(owner)
    const item = await this.#owners.get(nameOf(parsed))
    return item && allocationOf(parsed, item)
  }

  async list(network?: string): Promise<AllocationList> {
    const { revision, items, damaged } = await this.#owners.list()
    const wanted = ({ name }: { name: string }) => network === undefined || name.startsWith(`${network}/`)
    return {
      revision,
      allocations: items.filter(wanted).map((item) => allocationOf(ownerOf(item.name), item)),
      damaged: damaged.filter(wanted),
    }
  }

  async revision(): Promise<number> {
    return (await this.#store.list('cursors/', { limit: 1 })).revision
  }

  async collect(network: string, options: CollectOptions): Promise<Collected> {
    return collect(this.#store, network, options, async (item) =>
      (await this.#remove(item)) ? allocationOf(ownerOf(item.name), item) : undefined,
    )
  }

  status(): PoolStatus[] {
    return this.#pools.map(({ name, space }, number) => ({
      name,
      capacity: Number(space.size),
      allocated: this.#index.allocated(number),
    }))
  }

  async close(): Promise<void> {
    this.#index.stop()
  }

  /** A candidate of each pool, or the first pool that has none. */
  #pick(requested: ReadonlyMap<number, Ip>): Candidate[] | { full: number } {
    const candidates: Candidate[] = []
    for (const [number, pool] of this.#pools.entries()) {
      const fixed = requested.get(number)
      const position = fixed === undefined ? this.#index.pick(number) : -1
      if (fixed === undefined && position < 0) {
        for (const [earlier, candidate] of candidates.entries()) this.#giveUp(earlier, candidate, undefined)
        return { full: number }
      }
      candidates.push({ pool, position, ip: fixed ?? pool.space.addressAt(position) })
    }
    return candidates
  }

  /** Claims the candidates for the owner; undefined when one of them was taken and others must be tried. */
  async #try(
    owner: Owner,
    candidates: readonly Candidate[],
    requested: ReadonlyMap<number, Ip>,
  ): Promise<Allocation | undefined> {
    const record = { addresses: candidates.map(allocatedAddress), allocatedAt: this.#clock.now() }
    const ownerKey = this.#owners.key(nameOf(owner))
    const addressKeys = candidates.map(({ ip }) => addressPrefix + ip)
    const holder = nameOf(owner)
    const read = [ownerKey, ...addressKeys].map((key): Operation => ({ type: 'get', key }))
    let takenAt: readonly (number | undefined)[] = []
    let keptAt: number | undefined
    try {
      const outcome = await this.#store.txn({
        compare: [ownerKey, ...addressKeys].map((key) => ({ key, exists: false })),
        success: [
          { type: 'put', key: ownerKey, value: this.#owners.format(record) },
          ...addressKeys.map((key): Operation => ({ type: 'put', key, value: holder })),
          ...candidates
            .filter(({ position }) => position >= 0)
            .map(({ pool, ip }): Operation => ({ type: 'put', key: cursorKey(pool.name), value: ip })),
        ],
        failure: read,
      })
      if (outcome.succeeded) {
        keptAt = outcome.revision
        return { owner, ...record, revision: outcome.revision }
      }
      const [existing, ...holders] = outcome.results.map((result) =>
        result.type === 'get' ? result.entry : undefined,
      )
      takenAt = holders.map((entry) => entry && outcome.revision)
      if (existing !== undefined) return this.#sameAgain(this.#read(owner, existing), requested)
      for (const [number, entry] of holders.entries()) {
        if (entry !== undefined && requested.has(number)) throw inUse(candidates[number], entry)
      }
      return undefined
    } finally {
      for (const [number, candidate] of candidates.entries()) {
        if (keptAt !== undefined) this.#keep(number, candidate, keptAt)
        else this.#giveUp(number, candidate, takenAt[number])
      }
    }
  }

  #keep(number: number, { position }: Candidate, revision: number): void {
    if (position >= 0) this.#index.keep(number, position, revision)
  }

  #giveUp(number: number, { position }: Candidate, takenAt: number | undefined): void {
    if (position >= 0) this.#index.giveUp(number, position, takenAt)
  }

  #read(owner: Owner, entry: Entry): Allocation {
    try {
      return { owner, ...ownerRecord.parse(entry.value, nameOf(owner)), revision: entry.revision }
    } catch (cause) {
      throw new StoreError('STORE_DAMAGED', `${entry.key} cannot be read: put it right or delete it`, {
        cause,
      })
    }
  }

  /** The owner asked again: right only if it would get the same. */
  #sameAgain(allocation: Allocation, requested: ReadonlyMap<number, Ip>): Allocation {
    const pools = allocation.addresses.map(({ pool }) => pool)
    if (pools.join() !== this.#pools.map(({ name }) => name).join()) {
      throw conflict(allocation, `pools ${this.#pools.map(({ name }) => name).join(', ')}`)
    }
    for (const [number, ip] of requested) {
      const has = allocation.addresses[number]
      if (has === undefined || addressOf(has.address) !== ip) throw conflict(allocation, ip)
    }
    return allocation
  }

  /** Deletes an owner's record and the addresses in it, unless the record has changed. */
  async #remove({ name, value, revision }: Item<OwnerRecord>): Promise<boolean> {
    const ownerKey = this.#owners.key(name)
    const keys = value.addresses.map(({ address }) => addressPrefix + addressOf(address))
    // What was written together with the owner's record has its revision; an address that has another is not this owner's.
    const claim = (own: readonly string[]): Transaction => ({
      compare: [ownerKey, ...own].map((key) => ({ key, revision })),
      success: [ownerKey, ...own].map((key) => ({ type: 'delete', key })),
      failure: [ownerKey, ...keys].map((key) => ({ type: 'get', key })),
    })
    let own = keys
    let outcome = await this.#store.txn(claim(own))
    if (!outcome.succeeded) {
      const unchanged = outcome.results.flatMap((result) =>
        result.type === 'get' && result.entry?.revision === revision ? [result.entry.key] : [],
      )
      if (!unchanged.includes(ownerKey)) return false
      own = keys.filter((key) => unchanged.includes(key))
      outcome = await this.#store.txn(claim(own))
      if (!outcome.succeeded) return false
    }
    for (const key of own) this.#index.release(parseIp(key.slice(addressPrefix.length)), outcome.revision)
    return true
  }

  #exhausted(number: number): IpamError {
    const pool = this.#pools[number]
    const name = pool?.name ?? String(number)
    const subnets = pool?.ranges.map(({ subnet }) => subnet).join(', ')
    return new IpamError(
      'IPAM_EXHAUSTED',
      `pool ${name} (${subnets}) has no free address: all ${pool?.space.positions} are allocated; release some or add a range`,
      { pool: name },
    )
  }
}

function allocatedAddress({ pool, ip }: Candidate): AllocatedAddress {
  const range = rangeOfAddress(pool, ip)
  const address = ifAddressFrom(ip, range && prefixLength(range.subnet))
  if (range?.gateway === undefined) return { pool: pool.name, address }
  return { pool: pool.name, address, gateway: range.gateway }
}

function allocationOf(owner: Owner, { value, revision }: Item<OwnerRecord>): Allocation {
  return { owner, addresses: value.addresses, allocatedAt: value.allocatedAt, revision }
}

function nameOf({ network, containerId, ifName }: Owner): string {
  return `${network}/${containerId}/${ifName}`
}

function ownerOf(name: string): Owner {
  const [network = '', containerId = '', ifName = ''] = name.split('/')
  return { network, containerId, ifName }
}

/** Where the address that a pool gave last is kept. */
export function cursorKey(pool: string): string {
  return `cursors/${pool}`
}

function inUse(candidate: Candidate | undefined, holder: Entry): IpamError {
  const address = candidate?.ip
  const pool = candidate?.pool.name
  const message = `address ${address} of pool ${pool} is in use by ${holderOf(holder)}: ask for another or release it`
  return new IpamError('IPAM_ADDRESS_IN_USE', message, {
    ...(address === undefined ? {} : { address }),
    ...(pool === undefined ? {} : { pool }),
  })
}

/** Who holds an address, for a message; the key alone when the value says nothing. */
function holderOf({ key, value }: Entry): string {
  const owner = ownerOf(value)
  return nameOf(owner) === value ? describeOwner(owner) : `whoever wrote ${key}`
}

function conflict(allocation: Allocation, wanted: string): IpamError {
  const has = allocation.addresses.map(({ pool, address }) => `${address} of pool ${pool}`).join(', ')
  return new IpamError(
    'IPAM_OWNER_CONFLICT',
    `${describeOwner(allocation.owner)} has ${has} and cannot have ${wanted}: release it first`,
  )
}
