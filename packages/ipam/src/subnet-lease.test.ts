import { ip, type Prefix, prefix } from '@podfabric/netaddr'
import { memoryStore, type Store, StoreError } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type SubnetLeasesOptions, subnetLeases } from './index.ts'
import { firstFree, resolvePlan } from './subnet-plan.ts'

type Options = Partial<Omit<SubnetLeasesOptions, 'clock'>>

function setUp(options: Options = {}, wrap: (store: Store) => Store = (store) => store) {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const plan = { network: prefix('10.244.0.0/16'), subnetLength: 24, ...options, clock }
  return { clock, store, leases: subnetLeases(wrap(store), plan), plan }
}

const day = 86_400_000

describe('a subnet lease', () => {
  test('gives each node a subnet of its own, the first of the network left out, and shows it to all', async () => {
    const { leases } = setUp()
    const first = await leases.acquire({
      node: 'node-1',
      publicIp: ip('192.168.0.1'),
      data: { BackendType: 'vxlan' },
    })
    const second = await leases.acquire({ node: 'node-2', publicIp: ip('192.168.0.2') })
    expect([first.subnet, second.subnet]).toEqual(['10.244.1.0/24', '10.244.2.0/24'])
    expect((await leases.list()).items.map((item) => item.value)).toEqual([
      { subnet: '10.244.1.0/24', publicIp: '192.168.0.1', node: 'node-1', data: { BackendType: 'vxlan' } },
      { subnet: '10.244.2.0/24', publicIp: '192.168.0.2', node: 'node-2', data: {} },
    ])
  })

  test("is kept under Flannel's key with the names that Flannel uses", async () => {
    const { leases, store } = setUp()
    const data = { BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: '0e:00:00:00:00:01' } }
    await leases.acquire({ node: 'node-1', publicIp: ip('192.168.0.1'), data })
    const entry = await store.get('subnets/10.244.1.0-24')
    expect(JSON.parse(entry?.value ?? '')).toEqual({ ...data, PublicIP: '192.168.0.1', Node: 'node-1' })
    expect(entry?.lease).toBeDefined()
  })

  test('works the same for IPv6', async () => {
    const { leases } = setUp({ network: prefix('fd00:10::/48'), subnetLength: 64 })
    const held = await leases.acquire({ node: 'node-1', publicIp: ip('fd00::1') })
    expect(held.subnet).toBe('fd00:10:0:1::/64')
    expect((await leases.list()).items[0]?.value).toMatchObject({
      subnet: 'fd00:10:0:1::/64',
      publicIp: 'fd00::1',
    })
  })

  test('is the same again for a node that comes back, with a new address too', async () => {
    const { leases, plan, store } = setUp()
    await leases.acquire({ node: 'other', publicIp: ip('192.168.0.9') })
    const held = await leases.acquire({ node: 'node-1', publicIp: ip('192.168.0.1') })
    held.close()
    const again = await subnetLeases(store, plan).acquire({ node: 'node-1', publicIp: ip('192.168.0.77') })
    expect(again.subnet).toBe(held.subnet)
    expect((await leases.list()).items.map((item) => item.value.publicIp)).toEqual([
      '192.168.0.9',
      '192.168.0.77',
    ])
  })

  test("takes over the lease that a flanneld left for the node's address, and no other", async () => {
    const { leases, store } = setUp()
    await store.put('subnets/10.244.7.0-24', '{"PublicIP":"192.168.0.7","BackendType":"vxlan"}')
    await store.put('subnets/10.244.8.0-24', '{"PublicIP":"192.168.0.70"}')
    const held = await leases.acquire({
      node: 'a',
      publicIp: ip('192.168.0.7'),
      preferred: prefix('10.244.9.0/24'),
    })
    expect(held.subnet).toBe('10.244.7.0/24')
    const second = await leases.acquire({ node: 'b', publicIp: ip('192.168.0.7') })
    expect(second.subnet).toBe('10.244.1.0/24')
  })

  test('is the preferred subnet if that is free, and another if not or not of the plan', async () => {
    const { leases } = setUp({ subnetMax: prefix('10.244.200.0/24') })
    const take = async (node: string, preferred: Prefix) =>
      (await leases.acquire({ node, publicIp: ip('192.168.0.1'), preferred })).subnet
    expect(await take('a', prefix('10.244.5.0/24'))).toBe('10.244.5.0/24')
    expect(await take('b', prefix('10.244.5.0/24'))).toBe('10.244.1.0/24')
    expect(await take('c', prefix('10.99.5.0/24'))).toBe('10.244.2.0/24')
    expect(await take('d', prefix('10.244.6.0/25'))).toBe('10.244.3.0/24')
    expect(await take('e', prefix('10.244.201.0/24'))).toBe('10.244.4.0/24')
  })

  test('never overlaps one of another length', async () => {
    const { leases, store } = setUp({ network: prefix('10.244.0.0/20') })
    await store.put('subnets/10.244.0.0-22', '{"PublicIP":"192.168.0.7"}')
    await store.put('subnets/10.244.4.128-25', '{"PublicIP":"192.168.0.8"}')
    expect((await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })).subnet).toBe('10.244.5.0/24')
  })

  test('is refused when there is none left, saying how to go on, and nothing is left behind', async () => {
    const { leases, store } = setUp({ network: prefix('10.244.0.0/22') })
    for (const node of ['a', 'b', 'c']) await leases.acquire({ node, publicIp: ip('192.168.0.1') })
    const before = await store.list('')
    await expect(leases.acquire({ node: 'd', publicIp: ip('192.168.0.4') })).rejects.toMatchObject({
      code: 'IPAM_OUT_OF_SUBNETS',
      message:
        'network 10.244.0.0/22 has no free /24 for another node: 3 are leased, 3 reserved; ' +
        'retire nodes that will not come back or use a larger network',
    })
    expect(await store.list('')).toEqual(before)
  })

  test('is renewed in time, as long as it is held', async () => {
    const { leases, clock } = setUp()
    const held = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    await clock.advance(10 * day)
    expect(held.lost.aborted).toBe(false)
    expect(held.renewal().renewedAt).toBeGreaterThan(clock.now() - day)
    expect((await leases.list()).items).toHaveLength(1)
  })

  test('that is not renewed is withdrawn, but its subnet waits for the node', async () => {
    const { leases, clock, plan, store } = setUp()
    const held = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    const watch = leases.watch()
    expect((await watch.next()).value).toMatchObject({ kind: 'snapshot', items: [{ name: '10.244.1.0-24' }] })
    held.close()
    await clock.advance(day)
    expect((await watch.next()).value).toMatchObject({ changes: [{ type: 'delete', name: '10.244.1.0-24' }] })
    expect((await leases.acquire({ node: 'b', publicIp: ip('192.168.0.2') })).subnet).toBe('10.244.2.0/24')
    const again = await subnetLeases(store, plan).acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    expect(again.subnet).toBe('10.244.1.0/24')
  })

  test('that was released is free at once for any node', async () => {
    const { leases, store } = setUp()
    const held = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    await held.release()
    expect((await store.list('')).entries).toEqual([])
    expect((await leases.acquire({ node: 'b', publicIp: ip('192.168.0.2') })).subnet).toBe('10.244.1.0/24')
  })

  test('of a node that will not come back is free when it is retired, but not while its lease lives', async () => {
    const { leases, clock } = setUp()
    const held = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    await expect(leases.retire('a')).rejects.toMatchObject({ code: 'IPAM_SUBNET_IN_USE' })
    held.close()
    await clock.advance(day)
    expect(await leases.retire('a')).toBe(true)
    expect(await leases.retire('a')).toBe(false)
    expect((await leases.acquire({ node: 'b', publicIp: ip('192.168.0.2') })).subnet).toBe('10.244.1.0/24')
  })

  test('tells peers of new data, as a change of the same subnet', async () => {
    const { leases } = setUp()
    const held = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1'), data: { mac: 1 } })
    const watch = leases.watch()
    await watch.next()
    await held.update({ mac: 2 })
    expect((await watch.next()).value).toMatchObject({
      changes: [{ type: 'put', item: { value: { subnet: '10.244.1.0/24', data: { mac: 2 } } } }],
    })
    expect(held.data).toEqual({ mac: 2 })
  })

  test('held by two processes of one node is lost for the first, which cannot take it away any more', async () => {
    const { leases, clock, store } = setUp()
    const first = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    const second = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    await first.release()
    await clock.advance(3 * day)
    expect((await leases.list()).items).toHaveLength(1)
    expect(second.lost.aborted).toBe(false)
    const third = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    await expect(second.update({})).rejects.toMatchObject({ code: 'IPAM_SUBNET_IN_USE' })
    expect(second.lost.reason).toMatchObject({ code: 'IPAM_SUBNET_IN_USE' })
    expect(third.lost.aborted).toBe(false)
    expect((await store.list('subnets/')).entries).toHaveLength(1)
  })

  test('outlives a store that is out of reach for less than the margin, and says so meanwhile', async () => {
    let reachable = true
    const { leases, clock } = setUp({}, (store) => cutOff(store, () => reachable))
    const held = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    await clock.advance(day - 3_600_000 - 1)
    reachable = false
    await clock.advance(1_800_000)
    expect(held.renewal().failure).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(held.lost.aborted).toBe(false)
    reachable = true
    await clock.advance(60_000)
    expect(held.renewal()).toEqual({ renewedAt: expect.any(Number) })
    await clock.advance(day / 2)
    expect(held.lost.aborted).toBe(false)
  })

  test('is lost when the store is out of reach for longer, and the node gets the same subnet when it is back', async () => {
    let reachable = true
    const { leases, clock } = setUp({}, (store) => cutOff(store, () => reachable))
    const held = await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    reachable = false
    await clock.advance(day)
    expect(held.lost.reason).toMatchObject({ code: 'STORE_LEASE_LOST' })
    await expect(held.update({})).rejects.toMatchObject({ code: 'STORE_LEASE_LOST' })
    reachable = true
    expect((await leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })).subnet).toBe(held.subnet)
  })

  test('goes to one node only, however many ask at the same time', async () => {
    const { leases, plan, store } = setUp({ network: prefix('10.244.0.0/19') }) // 31 subnets
    const names = Array.from({ length: 34 }, (_, index) => `node-${index}`)
    const outcomes = await Promise.allSettled(
      names.flatMap((node) => {
        const ask = () => subnetLeases(store, plan).acquire({ node, publicIp: ip('192.168.0.1') })
        return [ask(), ask()]
      }),
    )
    const byNode = new Map<string, Set<string>>()
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'IPAM_OUT_OF_SUBNETS' })
      else
        byNode.set(
          outcome.value.node,
          (byNode.get(outcome.value.node) ?? new Set()).add(outcome.value.subnet),
        )
    }
    expect(byNode.size).toBe(31)
    expect([...byNode.values()].every((subnets) => subnets.size === 1)).toBe(true)
    expect(new Set([...byNode.values()].flatMap((subnets) => [...subnets])).size).toBe(31)
    expect((await leases.list()).items).toHaveLength(31)
  })

  test('is not given while a record that cannot be read may be of any subnet', async () => {
    const { leases, store } = setUp()
    await store.put('subnets/nonsense', '{"PublicIP":"192.168.0.7"}')
    const call = leases.acquire({ node: 'a', publicIp: ip('192.168.0.1') })
    await expect(call).rejects.toMatchObject({
      code: 'STORE_DAMAGED',
      message: expect.stringContaining('nonsense'),
    })
    expect((await leases.list()).damaged).toHaveLength(1)
  })

  test('refuses plans that cannot work and nodes without a name', async () => {
    const network = prefix('10.244.0.0/16')
    const bad: [Options, RegExp][] = [
      [{ network, subnetLength: 16 }, /length of its subnets is 16: must be 17 to 30/],
      [{ network, subnetLength: 31 }, /must be 17 to 30/],
      [
        { network, subnetLength: 24, subnetMin: prefix('10.245.0.0/24') },
        /subnetMin 10.245.0.0\/24 is not one of/,
      ],
      [
        { network, subnetLength: 24, subnetMax: prefix('10.244.0.0/25') },
        /subnetMax 10.244.0.0\/25 is not one of/,
      ],
      [
        { network, subnetLength: 24, subnetMin: prefix('10.244.9.0/24'), subnetMax: prefix('10.244.8.0/24') },
        /subnetMin 10.244.9.0\/24 comes after/,
      ],
    ]
    for (const [options, message] of bad) {
      expect(() => setUp(options)).toThrow(expect.objectContaining({ code: 'IPAM_INVALID_POOL' }))
      expect(() => setUp(options)).toThrow(message)
    }
    await expect(setUp().leases.acquire({ node: '../x', publicIp: ip('192.168.0.1') })).rejects.toMatchObject(
      {
        code: 'IPAM_INVALID_OWNER',
      },
    )
  })
})

test('the first free subnet is the first that overlaps nothing that is taken', () => {
  const taken = fc.array(fc.tuple(fc.nat(255), fc.integer({ min: 18, max: 28 })), { maxLength: 40 })
  fc.assert(
    fc.property(taken, (pairs) => {
      const plan = resolvePlan({ network: prefix('10.0.0.0/18'), subnetLength: 24 })
      // Each taken prefix is aligned by cutting its first octets to its length.
      const prefixes = pairs.map(([third, length]) => {
        const value = ((third % 64) << 8) & ~(2 ** (32 - length) - 1)
        return `10.0.${(value >> 8) & 255}.${value & 255}/${length}` as Prefix
      })
      const isTaken = (number: number) =>
        prefixes.some((each) => {
          const [, third = '0', length = '0'] = /^10\.0\.(\d+)\.\d+\/(\d+)$/.exec(each) ?? []
          const size = Math.max(1, 2 ** (24 - Number(length)))
          return Number(third) <= number && number < Number(third) + size
        })
      const expected = Array.from({ length: 63 }, (_, index) => index + 1).find((number) => !isTaken(number))
      expect(firstFree(plan, prefixes)).toBe(expected === undefined ? undefined : `10.0.${expected}.0/24`)
    }),
  )
})

function cutOff(store: Store, reachable: () => boolean): Store {
  const call = async <T>(what: () => Promise<T>): Promise<T> => {
    if (!reachable()) throw new StoreError('STORE_UNAVAILABLE', 'the store cannot be reached')
    return what()
  }
  return {
    get: (key) => call(() => store.get(key)),
    list: (under, options) => call(() => store.list(under, options)),
    put: (key, value, options) => call(() => store.put(key, value, options)),
    delete: (key, options) => call(() => store.delete(key, options)),
    txn: (transaction) => call(() => store.txn(transaction)),
    lease: (ttlSeconds) =>
      call(async () => {
        const lease = await store.lease(ttlSeconds)
        return {
          ...lease,
          keepAlive: () => call(() => lease.keepAlive()),
          revoke: () => call(() => lease.revoke()),
        }
      }),
    watch: (under, options) => store.watch(under, options),
    close: () => store.close(),
  }
}
