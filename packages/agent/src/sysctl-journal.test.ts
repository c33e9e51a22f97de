import { keptLog } from '@podfabric/cni/testing'
import { type Kernel, withMiddleware } from '@podfabric/kernel'
import { simulate } from '@podfabric/kernel-sim'
import { memoryStore, type Store, StoreError } from '@podfabric/store'
import { describe, expect, it } from 'vitest'
import { sysctlFate, sysctlJournal, sysctlPrefix, sysctlRecords } from './sysctl-journal.ts'

const name = 'net.ipv4.ip_forward'

function node() {
  const { node, clock } = simulate()
  const kernel = node('node-1')
  const store = memoryStore({ clock })
  const { log, logged } = keptLog()
  /** A process of the node: what it remembers by itself is its own. */
  const process = (options: { readonly boot?: string; readonly store?: Store } = {}) => {
    const journal = sysctlJournal({ kernel, store, node: { name: 'node-1' }, boot: 'first', log, ...options })
    return (network: string) => onHost(withMiddleware(kernel, journal(network)))
  }
  const read = async () => sysctlRecords((await store.list(sysctlPrefix)).entries)
  const records = async () => (await read()).records
  const site = (boot: string) => ({ boot, netns: kernel.netns.host.id })
  return { kernel, store, log, logged, process, read, records, host: onHost(kernel), site }
}

function onHost(kernel: Kernel) {
  return kernel.in(kernel.netns.host)
}

describe('the journal of settings', () => {
  it('records what stood before, durably and before the write, with the networks that want it', async () => {
    const { kernel, store, process, records, host, site } = node()
    const order: string[] = []
    const watched: Store = Object.assign(Object.create(store), {
      get: store.get.bind(store),
      put: async (...given: Parameters<Store['put']>) => {
        order.push(`recorded while ${await host.sysctl.get(name)}`)
        return store.put(...given)
      },
    })
    const networks = process({ store: watched })
    await networks('pods').sysctl.ensure(name, '1')
    expect(order).toEqual(['recorded while 0'])
    expect(await host.sysctl.get(name)).toBe('1')
    await networks('blue').sysctl.ensure(name, '1')
    await networks('blue').sysctl.set(name, '1')
    expect(order).toHaveLength(2)
    const [record] = await records()
    expect(record).toEqual({
      name,
      before: '0',
      wrote: '1',
      wantedBy: ['blue', 'pods'],
      where: { boot: 'first', netns: kernel.netns.host.id },
    })
    expect(record && sysctlFate(record, site('first'), '1')).toBe('restore')
  })

  it('is one for several processes of the node', async () => {
    const { process, records } = node()
    const one = process()('pods')
    const other = process()('pods')
    const third = process()('blue')
    await Promise.all([one, other, third].map(({ sysctl }) => sysctl.ensure(name, '1')))
    expect(await records()).toMatchObject([{ before: '0', wrote: '1', wantedBy: ['blue', 'pods'] }])
  })

  it('keeps what somebody else put in place of ours when we write again', async () => {
    const { process, records, host, site } = node()
    const key = 'net.ipv6.conf.all.accept_ra'
    const networks = process()
    await host.sysctl.set(key, '0')
    await networks('pods').sysctl.set(key, '1')
    await host.sysctl.set(key, '2')
    const [changed] = await records()
    expect(changed && sysctlFate(changed, site('first'), '2')).toBe('theirs')
    await networks('pods').sysctl.ensure(key, '1')
    expect(await records()).toMatchObject([{ before: '2', wrote: '1' }])
    await networks('pods').sysctl.set(key, '0')
    expect(await records()).toMatchObject([{ before: '2', wrote: '0' }])
  })

  it('begins anew after a restart of the machine', async () => {
    const { process, records, host, site } = node()
    await process()('pods').sysctl.ensure(name, '1')
    const [old] = await records()
    expect(old && sysctlFate(old, site('second'), '1')).toBe('void')
    await host.sysctl.set(name, '0')
    await process({ boot: 'second' })('blue').sysctl.ensure(name, '1')
    expect(await records()).toMatchObject([{ before: '0', wantedBy: ['blue'], where: { boot: 'second' } }])
  })

  it('has nothing to restore where a write did not come about, or where it stood so already', async () => {
    const { process, records, host, site } = node()
    await expect(process()('pods').sysctl.set(name, 'what')).rejects.toMatchObject({ code: 'EINVAL' })
    const [failed] = await records()
    expect(failed && sysctlFate(failed, site('first'), '0')).toBe('as-before')
    await host.sysctl.set(name, '1')
    await process()('pods').sysctl.ensure(name, '1')
    const [record] = await records()
    expect(record && sysctlFate(record, site('first'), '1')).toBe('as-before')
    expect(record && sysctlFate(record, site('first'), undefined)).toBe('as-before')
  })

  it('records nothing of a link of ours, and nothing of a setting that there is not', async () => {
    const { process, records, host } = node()
    const pods = process()('pods')
    await host.links.add({ kind: 'bridge', name: 'ours', alias: 'podfabric:bridge/pods' })
    await host.links.add({ kind: 'bridge', name: 'their.s' })
    await pods.sysctl.set('net.ipv4.conf.ours.proxy_arp', '1')
    await expect(pods.sysctl.set('net.ipv4.no_such_thing', '1')).rejects.toMatchObject({ code: 'ENOENT' })
    expect(await records()).toEqual([])
    await pods.sysctl.set('net.ipv4.conf.their/s.proxy_arp', '1')
    await pods.sysctl.ensure(name, '1')
    expect((await records()).map((record) => record.name)).toEqual([name, 'net.ipv4.conf.their/s.proxy_arp'])
  })

  it('lets nothing be written that cannot be recorded', async () => {
    const { store, process, host } = node()
    const full: Store = Object.assign(Object.create(store), {
      get: store.get.bind(store),
      put: () => Promise.reject(new StoreError('STORE_FULL', 'no room')),
    })
    await expect(process({ store: full })('pods').sysctl.ensure(name, '1')).rejects.toMatchObject({
      code: 'EIO',
      cause: { code: 'STORE_FULL' },
    })
    expect(await host.sysctl.get(name)).toBe('0')
  })

  it('says so when a record cannot be read, and makes a new one', async () => {
    const { store, process, read, records, logged } = node()
    const key = `${sysctlPrefix}node-1/${name}`
    await store.put(key, '{"name":"net.ipv4.ip_forward"}')
    expect(await read()).toEqual({ records: [], unreadable: [key] })
    await process()('pods').sysctl.ensure(name, '1')
    expect(await records()).toMatchObject([{ before: '0', wrote: '1' }])
    expect(logged).toHaveLength(1)
  })
})
