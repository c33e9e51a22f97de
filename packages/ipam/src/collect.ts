import { collection, type Item, type Store } from '@podfabric/store'
import { type Allocation, type OwnerRecord, ownerRecord } from './allocation.ts'
import type { CollectOptions } from './allocator.ts'
import { type Owner, parseNetworkName } from './owner.ts'

/** What `collect` did. */
export interface Collected {
  /** Released, ascending by container and interface. */
  readonly released: readonly Allocation[]
  /** Not valid any more, but could not be released, with the reason; they stay as they are. */
  readonly failed: readonly { readonly owner: Owner; readonly error: unknown }[]
}

/**
 * Removes by `remove` every owner's record of the network that is neither valid nor younger than `asOf`. `remove` does
 * nothing and returns undefined when the record has changed since it was read, for then it is another allocation.
 */
export async function collect(
  store: Store,
  network: string,
  { valid, asOf }: CollectOptions,
  remove: (item: Item<OwnerRecord>) => Promise<Allocation | undefined>,
): Promise<Collected> {
  const prefix = `owners/${parseNetworkName(network)}/`
  const alive = new Set<string>()
  for (const { containerId, ifName } of valid) alive.add(`${containerId}/${ifName}`)
  const { items, damaged } = await collection(store, prefix, ownerRecord).list()
  const ownerOf = (name: string): Owner => {
    const [containerId = '', ifName = ''] = name.split('/')
    return { network, containerId, ifName }
  }

  const released: Allocation[] = []
  const failed: { owner: Owner; error: unknown }[] = damaged
    .filter(({ name }) => !alive.has(name))
    .map(({ name, error }) => ({ owner: ownerOf(name), error }))
  for (const item of items) {
    if (alive.has(item.name) || item.revision > asOf) continue
    try {
      const allocation = await remove({ ...item, name: `${network}/${item.name}` })
      if (allocation !== undefined) released.push(allocation)
    } catch (error) {
      failed.push({ owner: ownerOf(item.name), error })
    }
  }
  return { released, failed }
}
