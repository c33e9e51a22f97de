import { addressOf, type Ip, ifAddressFrom, prefixLength } from '@podfabric/netaddr'
import { type Clock, collection, type Store } from '@podfabric/store'
import { addressPrefix } from './address-index.ts'
import { type AllocatedAddress, ownerRecord } from './allocation.ts'
import { type Owner, parseOwner } from './owner.ts'
import { type Pool, rangeOfAddress, resolvePools } from './pool.ts'
import { cursorKey } from './store-allocator.ts'

export interface AdoptOptions {
  /** Those of the allocator over the same store. */
  readonly pools: readonly Pool[]
  readonly clock: Pick<Clock, 'now'>
}

/**
 * Records that an owner holds these addresses already, given by somebody else: an allocator over the same store gives them to no
 * other, and `release` takes them back. Addresses that no range has are left out, for they are never given. Answers `held` when the
 * owner's record is there now (or was, with the same addresses), `taken` when one of the addresses or the owner's name stands
 * for something else, `outside` when no range has any of them. Fails with IPAM_INVALID_POOL, IPAM_INVALID_OWNER.
 */
export async function adopt(
  store: Store,
  { pools, clock }: AdoptOptions,
  owner: Owner,
  addresses: readonly Ip[],
): Promise<'held' | 'taken' | 'outside'> {
  const { network, containerId, ifName } = parseOwner(owner)
  const name = `${network}/${containerId}/${ifName}`
  const owners = collection(store, 'owners/', ownerRecord)
  const allocated = resolvePools(pools).flatMap((pool) =>
    addresses.flatMap((ip): AllocatedAddress[] => {
      const range = rangeOfAddress(pool, ip)
      if (range === undefined) return []
      const address = ifAddressFrom(ip, prefixLength(range.subnet))
      return [{ pool: pool.name, address, ...(range.gateway !== undefined && { gateway: range.gateway }) }]
    }),
  )
  if (allocated.length === 0) return 'outside'
  const keys = allocated.map(({ address }) => addressPrefix + addressOf(address))
  const record = owners.format({ addresses: allocated, allocatedAt: clock.now() })
  const { succeeded } = await store.txn({
    compare: [owners.key(name), ...keys].map((key) => ({ key, exists: false })),
    success: [
      { type: 'put', key: owners.key(name), value: record },
      ...keys.map((key) => ({ type: 'put', key, value: name }) as const),
    ],
    failure: [],
  })
  if (succeeded) return 'held'
  const existing = await owners.get(name)
  const has = new Set(existing?.value.addresses.map(({ address }) => address))
  return allocated.every(({ address }) => has.has(address)) ? 'held' : 'taken'
}

/** The opposite of `adopt`: what the owner holds by its record is free again, where it is still his. */
export async function disown(store: Store, owner: Owner): Promise<void> {
  const { network, containerId, ifName } = parseOwner(owner)
  const name = `${network}/${containerId}/${ifName}`
  const owners = collection(store, 'owners/', ownerRecord)
  const item = await owners.get(name)
  if (item === undefined) return
  const keys = item.value.addresses.map(({ address }) => addressPrefix + addressOf(address))
  const entries = await Promise.all(keys.map((key) => store.get(key)))
  const own = entries.flatMap((entry) => (entry?.value === name ? [entry] : []))
  const gone = [{ key: owners.key(name), revision: item.revision }, ...own]
  await store.txn({
    compare: gone.map(({ key, revision }) => ({ key, revision })),
    success: gone.map(({ key }) => ({ type: 'delete', key }) as const),
    failure: [],
  })
}

/** Keeps an address from being given, although nobody is known to own it. False when it has an owner, or is kept already. */
export async function reserve(store: Store, address: Ip, why: string): Promise<boolean> {
  const key = addressPrefix + address
  const { succeeded } = await store.txn({
    compare: [{ key, exists: false }],
    success: [{ type: 'put', key, value: reserved + why }],
    failure: [],
  })
  return succeeded
}

/** Ends what `reserve` began; an address with an owner stays his. */
export async function unreserve(store: Store, address: Ip): Promise<void> {
  const entry = await store.get(addressPrefix + address)
  if (entry === undefined || !entry.value.startsWith(reserved)) return
  await store.txn({
    compare: [{ key: entry.key, revision: entry.revision }],
    success: [{ type: 'delete', key: entry.key }],
    failure: [],
  })
}

/** Lets a pool that has given nothing yet begin behind this address. */
export async function beginAfter(store: Store, pool: string, address: Ip): Promise<void> {
  const key = cursorKey(pool)
  await store.txn({
    compare: [{ key, exists: false }],
    success: [{ type: 'put', key, value: address }],
    failure: [],
  })
}

/** No owner's name has a space in it. */
const reserved = 'reserved: '
