import { addressOf, type Ip, prefix } from '@podfabric/netaddr'
import { memoryStore, type Store, StoreError } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Allocation, type Allocator, allocator, type IpamError, type Owner, type Pool } from './index.ts'

const pools: Pool[] = [
  { name: 'v4', ranges: [{ subnet: prefix('10.1.2.0/29') }] }, // five addresses
  { name: 'v6', ranges: [{ subnet: prefix('fd00::/124') }] },
]

/** Allocate or release one of eight owners through one of three allocators, or collect all but some. */
interface Step {
  readonly client: number
  readonly owner: number
  readonly action: 'allocate' | 'release' | 'collect'
}

const step: fc.Arbitrary<Step> = fc.record({
  client: fc.nat(2),
  owner: fc.nat(7),
  action: fc.oneof(
    { arbitrary: fc.constant('allocate' as const), weight: 6 },
    { arbitrary: fc.constant('release' as const), weight: 4 },
    { arbitrary: fc.constant('collect' as const), weight: 1 },
  ),
})

describe('whatever several allocators do at the same time on one store', () => {
  test('no address is given twice, none is lost, and a full pool is really full', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(step, { maxLength: 60, size: 'max' }),
        async (scheduler, steps) => {
          await run(steps, (store) => delayed(store, scheduler), scheduler)
        },
      ),
      { numRuns: 200 },
    )
  }, 60_000)

  test('nor when the answers of the store get lost on the way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(step, { maxLength: 60, size: 'max' }),
        fc.infiniteStream(fc.integer({ min: 0, max: 9 })),
        async (scheduler, steps, luck) => {
          await run(steps, (store) => unreliable(delayed(store, scheduler), luck), scheduler)
        },
      ),
      { numRuns: 200 },
    )
  }, 60_000)
})

async function run(
  steps: readonly Step[],
  wrap: (store: Store) => Store,
  scheduler: fc.Scheduler<unknown>,
): Promise<void> {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const starting = [0, 1, 2].map(() => attempt(() => allocator(wrap(store), { pools, clock })))
  await drain(scheduler, Promise.all(starting))
  const clients = (await Promise.all(starting)).filter((client) => client !== undefined)

  await drain(scheduler, Promise.all(steps.map((each) => act(clients, each, store))))
  await checkStore(store)

  // Nothing is under way any more, so each index must come to rest at what is in the store.
  const inUse = (await store.list('addresses/')).entries.length
  const fresh = await allocator(store, { pools, clock })
  expect(sum(fresh)).toBe(inUse)
  for (const client of clients) expect(sum(client)).toBe(inUse)
  const releases = [0, 1, 2, 3, 4, 5, 6, 7].map((owner) => fresh.release(ownerOf(owner)))
  await drain(scheduler, Promise.all(releases))
  expect((await store.list('addresses/')).entries).toEqual([])
  expect((await store.list('owners/')).entries).toEqual([])
  for (const client of clients) expect(sum(client)).toBe(0)
}

async function act(
  clients: readonly Allocator[],
  { client, owner, action }: Step,
  store: Store,
): Promise<void> {
  const ipam = clients[client]
  if (ipam === undefined) throw new Error('no such client')
  if (action === 'release') await attempt(() => ipam.release(ownerOf(owner)))
  if (action === 'collect') {
    const asOf = await attempt(() => ipam.revision())
    const valid = [0, 1, 2, 3].map(ownerOf)
    const collected =
      asOf === undefined ? undefined : await attempt(() => ipam.collect('net', { valid, asOf }))
    for (const { owner: freed, revision } of collected?.released ?? []) {
      expect(valid).not.toContainEqual(freed)
      expect(revision).toBeLessThanOrEqual(asOf ?? 0)
    }
  }
  if (action === 'allocate') {
    const before = (await store.list('')).revision
    const allocation = await attempt(() => ipam.allocate(ownerOf(owner)))
    if (allocation !== undefined) expect(allocation.addresses).toHaveLength(2)
    else expect(await wasFullSince(store, before)).toBe(true)
  }
}

/** What a caller does: it tries again when it does not know. Undefined for a full pool. */
async function attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (error instanceof StoreError && error.code === 'STORE_UNAVAILABLE') continue
      if ((error as IpamError).code === 'IPAM_EXHAUSTED') return undefined
      throw error
    }
  }
}

/** Whether at some revision from `before` on all five IPv4 addresses were allocated. */
async function wasFullSince(store: Store, before: number): Promise<boolean> {
  const held = new Set<string>()
  const now = (await store.list('')).revision
  const isFull = () => [...held].filter((key) => key.startsWith('addresses/10.')).length === 5
  let full = false
  if (now === 0) return false
  for await (const event of store.watch('', { fromRevision: 1 })) {
    if (event.kind !== 'changes') throw new Error('the history is gone')
    if (event.revision > before) full ||= isFull()
    for (const change of event.changes) {
      if (change.type === 'put') held.add(change.key)
      else held.delete(change.key)
    }
    if (event.revision >= before) full ||= isFull()
    if (event.revision >= now) break
  }
  return full
}

/** The store holds, for each owner, exactly its addresses, and nothing that has no owner. */
async function checkStore(store: Store): Promise<void> {
  const owners = (await store.list('owners/')).entries
  const addresses = (await store.list('addresses/')).entries
  const owned = owners.flatMap((entry) => {
    const record = JSON.parse(entry.value) as Pick<Allocation, 'addresses'>
    return record.addresses.map(({ address }): [Ip, string] => [addressOf(address), entry.key])
  })
  expect(new Set(owned.map(([ip]) => ip)).size).toBe(owned.length)
  const held = addresses.map(({ key, value }): [string, string] => [
    key.slice('addresses/'.length),
    `owners/${value}`,
  ])
  expect([...held].sort()).toEqual([...owned].sort())
}

function ownerOf(number: number): Owner {
  return { network: 'net', containerId: `c${number}`, ifName: 'eth0' }
}

function sum(ipam: Allocator): number {
  return ipam.status().reduce((total, pool) => total + pool.allocated, 0)
}

/** Runs what is scheduled, in the scheduler's order, until `work` is done and watches have nothing more to tell. */
async function drain(scheduler: fc.Scheduler<unknown>, work: Promise<unknown>): Promise<void> {
  let done = false
  const end = work.finally(() => {
    done = true
  })
  end.catch(() => {})
  while (!done || scheduler.count() > 0) {
    if (scheduler.count() > 0) await scheduler.waitOne()
    // Lets everything that was set in motion arrive at its next call or end.
    for (let turn = 0; turn < 30; turn++) await Promise.resolve()
  }
  await end
}

/** A store over a slow line: requests, answers and watch events take their time, each its own. */
function delayed(store: Store, scheduler: fc.Scheduler<unknown>): Store {
  const slow = async <T>(call: () => Promise<T>): Promise<T> => {
    await scheduler.schedule(Promise.resolve(), 'request')
    const answer = await call()
    await scheduler.schedule(Promise.resolve(), 'answer')
    return answer
  }
  return {
    get: (key) => slow(() => store.get(key)),
    list: (under, options) => slow(() => store.list(under, options)),
    put: (key, value, options) => slow(() => store.put(key, value, options)),
    delete: (key, options) => slow(() => store.delete(key, options)),
    txn: (transaction) => slow(() => store.txn(transaction)),
    lease: (ttlSeconds) => store.lease(ttlSeconds),
    close: () => store.close(),
    async *watch(under, options) {
      for await (const event of store.watch(under, options)) {
        await scheduler.schedule(Promise.resolve(), 'event')
        yield event
      }
    },
  }
}

/** A store that sometimes loses a request, and sometimes the answer to one that it has carried out. */
function unreliable(store: Store, luck: fc.Stream<number>): Store {
  const risk = async <T>(call: () => Promise<T>): Promise<T> => {
    const chance = luck.next().value
    if (chance === 0) throw new StoreError('STORE_UNAVAILABLE', 'the request was lost')
    const answer = await call()
    if (chance === 1) throw new StoreError('STORE_UNAVAILABLE', 'the answer was lost')
    return answer
  }
  return { ...store, get: (key) => risk(() => store.get(key)), txn: (each) => risk(() => store.txn(each)) }
}
