import { ip, prefix } from '@podfabric/netaddr'
import { memoryStore, type Store } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import { describe, expect, test } from 'vitest'
import { type Allocation, type Allocator, allocator, type Owner, type Pool } from './index.ts'

const small: Pool = { name: 'v4', ranges: [{ subnet: prefix('10.1.2.0/29') }] } // .2 to .6
const huge: Pool = { name: 'v6', ranges: [{ subnet: prefix('fd00:1::/64') }] }

function owner(container: string, network = 'blue'): Owner {
  return { network, containerId: container, ifName: 'eth0' }
}

function addressesOf(allocation: Allocation | undefined): string[] {
  return allocation?.addresses.map(({ address }) => address) ?? []
}

async function setUp(...pools: Pool[]) {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const ipam = await allocator(store, { pools: pools.length === 0 ? [small] : pools, clock })
  return { clock, store, ipam, again: () => allocator(store, { pools, clock }) }
}

describe('an allocator', () => {
  test('gives an owner an address with its prefix and gateway, and the time', async () => {
    const { ipam, clock } = await setUp()
    const allocation = await ipam.allocate(owner('a'))
    expect(allocation).toEqual({
      owner: owner('a'),
      addresses: [{ pool: 'v4', address: '10.1.2.2/29', gateway: '10.1.2.1' }],
      allocatedAt: clock.now(),
      revision: 1,
    })
    expect(await ipam.get(owner('a'))).toEqual(allocation)
    expect(await ipam.get(owner('b'))).toBeUndefined()
  })

  test('gives an owner the same again, even when the pool is full and from another allocator', async () => {
    const { ipam, again } = await setUp(small)
    const first = await ipam.allocate(owner('a'))
    for (const name of ['b', 'c', 'd', 'e']) await ipam.allocate(owner(name))
    expect(await ipam.allocate(owner('a'))).toEqual(first)
    expect(await (await again()).allocate(owner('a'))).toEqual(first)
    expect((await ipam.list()).allocations).toHaveLength(5)
  })

  test('tells interfaces of a container and networks apart', async () => {
    const { ipam } = await setUp()
    const all = [owner('a'), { ...owner('a'), ifName: 'net1' }, owner('a', 'red')]
    const given = await Promise.all(all.map((each) => ipam.allocate(each)))
    expect(new Set(given.flatMap(addressesOf)).size).toBe(3)
  })

  test('gives an address of each pool, or nothing at all', async () => {
    const { ipam } = await setUp(small, huge)
    for (const name of ['a', 'b', 'c', 'd', 'e']) await ipam.allocate(owner(name))
    expect(addressesOf(await ipam.get(owner('b')))).toEqual(['10.1.2.3/29', 'fd00:1::3/64'])
    await expect(ipam.allocate(owner('f'))).rejects.toMatchObject({ code: 'IPAM_EXHAUSTED', pool: 'v4' })
    expect(ipam.status()).toEqual([
      { name: 'v4', capacity: 5, allocated: 5 },
      { name: 'v6', capacity: 2 ** 64, allocated: 5 },
    ])
  })

  test('says when a pool has no free address, which and how to go on, and has one again after a release', async () => {
    const { ipam } = await setUp()
    for (const name of ['a', 'b', 'c', 'd', 'e']) await ipam.allocate(owner(name))
    await expect(ipam.allocate(owner('f'))).rejects.toThrow(
      'pool v4 (10.1.2.0/29) has no free address: all 5 are allocated; release some or add a range',
    )
    await ipam.release(owner('c'))
    expect(addressesOf(await ipam.allocate(owner('f')))).toEqual(['10.1.2.4/29'])
  })

  test('goes round: what was released is given again after everything else', async () => {
    const { ipam } = await setUp()
    const given: string[] = []
    for (let round = 0; round < 12; round++) {
      given.push(...addressesOf(await ipam.allocate(owner(`c${round}`))))
      await ipam.release(owner(`c${round}`))
    }
    const five = ['10.1.2.2/29', '10.1.2.3/29', '10.1.2.4/29', '10.1.2.5/29', '10.1.2.6/29']
    expect(given).toEqual([...five, ...five, ...five.slice(0, 2)])
  })

  test('goes on where it was after a restart', async () => {
    const { ipam, again } = await setUp(small)
    await ipam.allocate(owner('a'))
    await ipam.allocate(owner('b'))
    await ipam.release(owner('b'))
    await ipam.close()
    const restarted = await again()
    expect(restarted.status()).toEqual([{ name: 'v4', capacity: 5, allocated: 1 }])
    expect(addressesOf(await restarted.allocate(owner('c')))).toEqual(['10.1.2.4/29'])
  })

  test('releases what an owner has, and does nothing for one that has nothing', async () => {
    const { ipam, store } = await setUp(small, huge)
    const allocation = await ipam.allocate(owner('a'))
    expect(await ipam.release(owner('a'))).toEqual(allocation)
    expect(await ipam.release(owner('a'))).toBeUndefined()
    expect(await ipam.release(owner('never'))).toBeUndefined()
    const left = (await store.list('')).entries.map((entry) => entry.key)
    expect(left).toEqual(['cursors/v4', 'cursors/v6'])
    expect(ipam.status().map((pool) => pool.allocated)).toEqual([0, 0])
  })

  test('lists allocations by owner, of all networks or of one', async () => {
    const { ipam } = await setUp()
    await ipam.allocate(owner('b'))
    await ipam.allocate(owner('a'))
    await ipam.allocate(owner('x', 'blue-2'))
    const names = async (network?: string) =>
      (await ipam.list(network)).allocations.map((each) => `${each.owner.network}/${each.owner.containerId}`)
    expect(await names()).toEqual(['blue-2/x', 'blue/a', 'blue/b'])
    expect(await names('blue')).toEqual(['blue/a', 'blue/b'])
  })

  test('refuses owners whose names would not be names', async () => {
    const { ipam, store } = await setUp()
    const bad: Owner[] = [
      owner(''),
      owner('../b'),
      owner('a/b'),
      owner('-a'),
      owner('a'.repeat(201)),
      owner('a', ''),
      { ...owner('a'), ifName: '..' },
      { ...owner('a'), ifName: 'sixteen-letters-' },
      { ...owner('a'), ifName: 'a b' },
      { ...owner('a'), ifName: 'eth0:1' },
    ]
    for (const each of bad) {
      for (const call of [() => ipam.allocate(each), () => ipam.release(each), () => ipam.get(each)]) {
        await expect(call()).rejects.toMatchObject({ code: 'IPAM_INVALID_OWNER' })
      }
    }
    expect((await store.list('')).revision).toBe(0)
  })

  test('leaves a record that it cannot read alone, and says which', async () => {
    const { ipam, store } = await setUp()
    await store.put('owners/blue/a/eth0', '{"addresses":[{"pool":"v4","address":"10.1.2"}],"allocatedAt":0}')
    await ipam.allocate(owner('b'))
    await expect(ipam.allocate(owner('a'))).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    await expect(ipam.release(owner('a'))).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
    const { allocations, damaged } = await ipam.list()
    expect(allocations).toHaveLength(1)
    expect(damaged).toMatchObject([{ name: 'blue/a/eth0', error: { code: 'STORE_DAMAGED' } }])
    const collected = await ipam.collect('blue', { valid: [owner('b')], asOf: await ipam.revision() })
    expect(collected).toMatchObject({
      released: [],
      failed: [{ owner: owner('a'), error: { code: 'STORE_DAMAGED' } }],
    })
    expect(await store.get('owners/blue/a/eth0')).toBeDefined()
  })

  test('never releases an address that was written over by somebody else', async () => {
    const { ipam, store } = await setUp()
    await ipam.allocate(owner('a'))
    const taken = await store.put('addresses/10.1.2.2', 'x/y/z')
    await ipam.release(owner('a'))
    expect(await store.get('addresses/10.1.2.2')).toEqual(taken)
    expect(await ipam.get(owner('a'))).toBeUndefined()
  })

  test('passes on that the store is closed', async () => {
    const { ipam, store } = await setUp()
    await store.close()
    await expect(ipam.allocate(owner('a'))).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await expect(ipam.release(owner('a'))).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })
})

describe('a requested address', () => {
  test('is given, while the other pools choose', async () => {
    const { ipam } = await setUp(small, huge)
    const allocation = await ipam.allocate(owner('a'), { requested: [ip('10.1.2.5')] })
    expect(addressesOf(allocation)).toEqual(['10.1.2.5/29', 'fd00:1::2/64'])
    expect(addressesOf(await ipam.allocate(owner('b')))).toEqual(['10.1.2.2/29', 'fd00:1::3/64'])
    const beyond = await ipam.allocate(owner('c'), { requested: [ip('fd00:1::ffff:0:0:1')] })
    expect(addressesOf(beyond)).toEqual(['10.1.2.3/29', 'fd00:1::ffff:0:0:1/64'])
    await Promise.resolve()
    expect(ipam.status().map((pool) => pool.allocated)).toEqual([3, 3])
  })

  test('that is in use is refused, naming who has it, and nothing is given', async () => {
    const { ipam } = await setUp(small, huge)
    await ipam.allocate(owner('a'), { requested: [ip('10.1.2.2')] })
    await expect(ipam.allocate(owner('b'), { requested: [ip('10.1.2.2')] })).rejects.toMatchObject({
      code: 'IPAM_ADDRESS_IN_USE',
      pool: 'v4',
      address: '10.1.2.2',
      message: expect.stringContaining('container a, interface eth0, network blue'),
    })
    expect(await ipam.get(owner('b'))).toBeUndefined()
    // The IPv6 address that was tried with it is free again.
    expect(ipam.status().map((pool) => pool.allocated)).toEqual([1, 1])
  })

  test('that no pool may give is refused with the reason', async () => {
    const ranges = [{ subnet: prefix('10.1.2.0/24'), rangeEnd: ip('10.1.2.99'), exclude: [ip('10.1.2.50')] }]
    const { ipam } = await setUp({ name: 'v4', ranges }, huge)
    const refusals: [string, RegExp][] = [
      ['10.1.2.0', /it is the network address of 10.1.2.0\/24/],
      ['10.1.2.1', /it is the gateway of/],
      ['10.1.2.255', /it is the broadcast address of/],
      ['10.1.2.50', /it is excluded or outside the range of/],
      ['10.1.2.100', /it is excluded or outside the range of/],
      ['fd00:1::', /it is the network address of/],
      ['10.1.3.1', /no pool has it; the pools have 10.1.2.0\/24, fd00:1::\/64/],
    ]
    for (const [address, message] of refusals) {
      const call = ipam.allocate(owner('a'), { requested: [ip(address)] })
      await expect(call).rejects.toMatchObject({ code: 'IPAM_OUT_OF_RANGE', address })
      await expect(ipam.allocate(owner('a'), { requested: [ip(address)] })).rejects.toThrow(message)
    }
    const two = ipam.allocate(owner('a'), { requested: [ip('10.1.2.5'), ip('10.1.2.6')] })
    await expect(two).rejects.toThrow(/10.1.2.5 is requested of pool v4 already/)
  })

  test('of an owner that has another is refused; of one that has it, it is given again', async () => {
    const { ipam } = await setUp()
    const first = await ipam.allocate(owner('a'), { requested: [ip('10.1.2.4')] })
    expect(await ipam.allocate(owner('a'), { requested: [ip('10.1.2.4')] })).toEqual(first)
    await expect(ipam.allocate(owner('a'), { requested: [ip('10.1.2.5')] })).rejects.toMatchObject({
      code: 'IPAM_OWNER_CONFLICT',
      message:
        'container a, interface eth0, network blue has 10.1.2.4/29 of pool v4 and cannot have 10.1.2.5: release it first',
    })
  })

  test('an owner of other pools is told that it has addresses of those', async () => {
    const { ipam, store, clock } = await setUp(small)
    await ipam.allocate(owner('a'))
    const dual = await allocator(store, { pools: [small, huge], clock })
    await expect(dual.allocate(owner('a'))).rejects.toMatchObject({ code: 'IPAM_OWNER_CONFLICT' })
  })
})

describe('collection', () => {
  test('releases what is not valid any more and returns it; the rest stays', async () => {
    const { ipam } = await setUp()
    const gone = await ipam.allocate(owner('a'))
    await ipam.allocate(owner('b'))
    const asOf = await ipam.revision()
    expect(await ipam.collect('blue', { valid: [owner('b')], asOf })).toEqual({
      released: [gone],
      failed: [],
    })
    expect((await ipam.list()).allocations.map((each) => each.owner.containerId)).toEqual(['b'])
    expect(await ipam.collect('blue', { valid: [owner('b')], asOf })).toEqual({ released: [], failed: [] })
  })

  test('never touches another network, though no owner of it is named', async () => {
    const { ipam } = await setUp()
    await ipam.allocate(owner('a', 'red'))
    await ipam.allocate(owner('a', 'blue-2'))
    expect(await ipam.collect('blue', { valid: [], asOf: await ipam.revision() })).toMatchObject({
      released: [],
    })
    expect((await ipam.list()).allocations).toHaveLength(2)
  })

  test('never touches what was allocated after the list of the living was begun', async () => {
    const { ipam } = await setUp()
    await ipam.allocate(owner('old'))
    const asOf = await ipam.revision()
    const late = await ipam.allocate(owner('late'))
    await ipam.release(owner('old'))
    const anew = await ipam.allocate(owner('old'))
    expect(await ipam.collect('blue', { valid: [], asOf })).toEqual({ released: [], failed: [] })
    expect([await ipam.get(owner('late')), await ipam.get(owner('old'))]).toEqual([late, anew])
  })

  test('does not touch an owner that was released and came again while it ran', async () => {
    const { clock, store } = await setUp()
    const other = await allocator(store, { pools: [small], clock })
    await other.allocate(owner('a'))
    // Between the collector's reading and its release the owner comes anew.
    const interrupted: Store = {
      ...bind(store),
      list: async (prefix, options) => {
        const list = await store.list(prefix, options)
        if (prefix === 'owners/blue/') {
          await other.release(owner('a'))
          await other.allocate(owner('a'))
        }
        return list
      },
    }
    const collector = await allocator(interrupted, { pools: [small], clock })
    const collected = await collector.collect('blue', { valid: [], asOf: await collector.revision() })
    expect(collected).toEqual({ released: [], failed: [] })
    expect(addressesOf(await other.get(owner('a')))).toEqual(['10.1.2.3/29'])
  })

  test('goes on past an owner that it cannot release and says so', async () => {
    const { clock, store } = await setUp()
    const failing: Store = {
      ...bind(store),
      txn: async (transaction) => {
        if (
          transaction.compare.some((compare) => compare.key === 'owners/blue/b/eth0' && 'revision' in compare)
        ) {
          throw new Error('the wire was cut')
        }
        return store.txn(transaction)
      },
    }
    const ipam: Allocator = await allocator(failing, { pools: [small], clock })
    for (const name of ['a', 'b', 'c']) await ipam.allocate(owner(name))
    const { released, failed } = await ipam.collect('blue', { valid: [], asOf: await ipam.revision() })
    expect(released.map((each) => each.owner.containerId)).toEqual(['a', 'c'])
    expect(failed).toEqual([{ owner: owner('b'), error: new Error('the wire was cut') }])
  })
})

function bind(store: Store): Store {
  return {
    get: (key) => store.get(key),
    list: (prefix, options) => store.list(prefix, options),
    put: (key, value, options) => store.put(key, value, options),
    delete: (key, options) => store.delete(key, options),
    txn: (transaction) => store.txn(transaction),
    lease: (ttlSeconds) => store.lease(ttlSeconds),
    watch: (prefix, options) => store.watch(prefix, options),
    close: () => store.close(),
  }
}
