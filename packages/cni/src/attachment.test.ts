import { ifAddress } from '@podfabric/netaddr'
import { memoryStore, type Store } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { attachmentsOf, type Resource, type ResourceList } from './attachment.ts'
import { CniError } from './error.ts'
import type { Intent } from './intent.ts'
import { ipamResource } from './ipam-resource.ts'
import { processLocks } from './node-locks.ts'
import type { PluginFactory } from './plugin.ts'
import type { Request } from './request.ts'
import { keptLog, recordingPlugin, testContext } from './testing/index.ts'

const id = { containerId: 'c1', ifName: 'eth0', netns: '/run/netns/c1' }
const names = ['address', 'veth', 'routes'] as const

const planned = (resources: ResourceList) => (intent: Intent) => ({
  resources: resources(intent),
  result: () => ({ interfaces: [], ips: [], routes: [] }),
})

/** A world of named things, resources that make them, and a switch for each thing that can go wrong. */
function world(store: Store = memoryStore({ clock: manualClock() })) {
  const things = new Set<string>()
  const steps: string[] = []
  const failing = new Set<string>()
  const { log, logged } = keptLog()
  const step = (name: string) => {
    steps.push(name)
    if (failing.has(name)) throw new Error(`${name} failed`)
  }
  const resources: ResourceList = ({ containerId }) =>
    names.map((name): Resource => {
      const thing = `${name} of ${containerId}`
      return {
        name,
        async ensure() {
          // Half done before it fails, as a veth pair whose peer cannot be set up.
          things.add(thing)
          step(`ensure ${name}`)
        },
        async verify() {
          step(`verify ${name}`)
          if (!things.has(thing)) throw new CniError('CNI_CHECK_FAILED', 'it is missing')
        },
        async remove() {
          step(`remove ${name}`)
          things.delete(thing)
        },
      }
    })
  /** As another process has them. */
  const restarted = () => attachmentsOf({ type: 'test', store, node: { name: 'node-1' }, log })
  const attachments = restarted()
  const options = {
    exists: async ({ containerId }: { containerId: string }) => things.has(`veth of ${containerId}`) && alive,
    signal: new AbortController().signal,
  }
  let alive = true
  return {
    store,
    things,
    steps,
    failing,
    logged,
    attachments,
    restarted,
    resources,
    options,
    kill: () => {
      alive = false
    },
    records: async () => (await store.list('attachments/test/node-1/')).entries.length,
  }
}

describe('an attachment', () => {
  it('ensures in order, verifies, and removes in reverse, the same list for all verbs', async () => {
    const { attachments, resources, options, steps, things, records } = world()
    await attachments.add(id, planned(resources), options)
    await attachments.check(id, resources)
    expect(await records()).toBe(1)
    await attachments.del(id, resources)
    expect(steps.map((step) => step.split(' ')[0])).toEqual([
      ...names.map(() => 'ensure'),
      ...names.map(() => 'verify'),
      ...names.map(() => 'remove'),
    ])
    expect(steps.slice(6)).toEqual(['remove routes', 'remove veth', 'remove address'])
    expect(things.size).toBe(0)
    expect(await records()).toBe(0)
  })

  it('leaves nothing when a step fails, whichever it is', async () => {
    for (const name of names) {
      const { attachments, resources, options, failing, things, records } = world()
      failing.add(`ensure ${name}`)
      await expect(attachments.add(id, planned(resources), options)).rejects.toThrow(
        `${name}: ensure ${name} failed`,
      )
      expect([...things]).toEqual([])
      expect(await records()).toBe(0)
    }
  })

  it('tells the first error first, goes on removing, and keeps the record of what it could not remove', async () => {
    const { attachments, resources, options, failing, things, records } = world()
    failing.add('ensure routes').add('remove veth')
    const error = await attachments
      .add(id, planned(resources), options)
      .catch((reason: unknown) => reason as CniError)
    expect(error).toMatchObject({
      code: 'CNI_INTERNAL',
      message: 'routes: ensure routes failed',
      details: 'not removed, DEL will: veth: remove veth failed',
    })
    expect([...things]).toEqual(['veth of c1'])
    expect(await records()).toBe(1)
    failing.clear()
    await attachments.del(id, resources)
    expect(things.size).toBe(0)
  })

  it('records the intent before the first resource exists', async () => {
    const { attachments, options, records, store } = world()
    const seen: number[] = []
    const watching: ResourceList = () => [
      {
        name: 'x',
        ensure: async () => void seen.push(await records()),
        verify: async () => {},
        remove: async () => {},
      },
    ]
    await attachments.add(id, planned(watching), { ...options, facts: { bridge: 'cni7' } })
    expect(seen).toEqual([1])
    const { entries } = await store.list('attachments/test/node-1/')
    expect(entries.map(({ key, value }) => [key, JSON.parse(value)])).toEqual([
      ['attachments/test/node-1/c1/eth0', { ...id, facts: { bridge: 'cni7' } }],
    ])
  })

  it('never says "container unknown" once something was applied', async () => {
    const { attachments, options } = world()
    const failing: ResourceList = () => [
      {
        name: 'x',
        ensure: () => Promise.reject(new CniError('CNI_UNKNOWN_CONTAINER', 'who?')),
        verify: async () => {},
        remove: async () => {},
      },
    ]
    await expect(attachments.add(id, planned(failing), options)).rejects.toMatchObject({ number: 100 })
  })

  it('refuses a second ADD of what is alive, and changes nothing', async () => {
    const { attachments, resources, options, steps } = world()
    await attachments.add(id, planned(resources), options)
    const before = steps.length
    await expect(attachments.add(id, planned(resources), options)).rejects.toMatchObject({
      code: 'CNI_INTERFACE_EXISTS',
    })
    expect(steps).toHaveLength(before)
    await attachments.check(id, resources)
  })

  it('removes what a killed ADD left before it begins anew', async () => {
    const { attachments, resources, options, steps, kill, things } = world()
    await attachments.add(id, planned(resources), options)
    kill()
    steps.length = 0
    await attachments.add(id, planned(resources), options)
    expect(steps).toEqual([
      'remove routes',
      'remove veth',
      'remove address',
      'ensure address',
      'ensure veth',
      'ensure routes',
    ])
    expect(things.size).toBe(3)
  })

  it('is undone when the caller gives up', async () => {
    const { attachments, resources, options, things, records } = world()
    const controller = new AbortController()
    const stopping: ResourceList = (intent) =>
      resources(intent).map((resource, index) => ({
        ...resource,
        async ensure() {
          await resource.ensure()
          if (index === 1) controller.abort()
        },
      }))
    await expect(
      attachments.add(id, planned(stopping), { ...options, signal: controller.signal }),
    ).rejects.toMatchObject({ code: 'CNI_TRY_AGAIN_LATER' })
    expect(things.size).toBe(0)
    expect(await records()).toBe(0)
  })

  it('is checked whole: every fault is told', async () => {
    const { attachments, resources, options, things } = world()
    await expect(attachments.check(id, resources)).rejects.toMatchObject({ code: 'CNI_CHECK_FAILED' })
    await attachments.add(id, planned(resources), options)
    things.clear()
    await expect(attachments.check(id, resources)).rejects.toMatchObject({
      code: 'CNI_CHECK_FAILED',
      details: 'address: it is missing; veth: it is missing; routes: it is missing',
    })
  })

  it('may be detached any number of times, also when it never was', async () => {
    const { attachments, resources, options, records } = world()
    await attachments.del(id, resources)
    await attachments.add(id, planned(resources), options)
    await attachments.del(id, resources)
    await attachments.del({ containerId: 'c1', ifName: 'eth0' }, resources)
    expect(await records()).toBe(0)
  })

  it('is collected unless it is valid, and one that cannot be removed stops no other', async () => {
    const { attachments, resources, options, things, failing, records } = world()
    for (const containerId of ['c1', 'c2', 'c3'])
      await attachments.add({ ...id, containerId }, planned(resources), options)
    await attachments.gc([{ containerId: 'c2', ifName: 'eth0' }], resources)
    expect([...things].every((thing) => thing.endsWith('c2'))).toBe(true)
    await attachments.add(id, planned(resources), options)
    failing.add('remove veth')
    await expect(attachments.gc([], resources)).rejects.toMatchObject({ code: 'CNI_INTERNAL' })
    expect(await records()).toBe(2)
    failing.clear()
    await attachments.gc([], resources)
    expect(things.size).toBe(0)
  })

  it('is found by its name when its record is damaged', async () => {
    const { attachments, resources, options, things, store, logged, records } = world()
    await attachments.add(id, planned(resources), options)
    await store.put('attachments/test/node-1/c1/eth0', '{"half')
    await attachments.gc([], resources)
    expect(things.size).toBe(0)
    expect(await records()).toBe(0)
    expect(logged.some(({ level }) => level === 'warn')).toBe(true)
  })

  it('takes away what was shared with the last one, and never beside a new one', async () => {
    const { store, resources, options } = world()
    let shared = 0
    const rests: number[] = []
    const attachments = attachmentsOf({
      type: 'test',
      store,
      node: { name: 'node-1' },
      log: keptLog().log,
      idle: async () => {
        rests.push(shared)
        shared = 0
      },
    })
    const sharing: ResourceList = (intent) => [
      { name: 'shared', ensure: async () => void shared++, verify: async () => {}, remove: async () => {} },
      ...resources(intent),
    ]
    const second = { ...id, containerId: 'c2' }
    await attachments.add(id, planned(sharing), options)
    await attachments.add(second, planned(sharing), options)
    await attachments.del(id, sharing)
    expect(rests).toEqual([])
    // Whoever comes first, the one that begins finds what is shared.
    await Promise.all([attachments.del(second, sharing), attachments.add(id, planned(sharing), options)])
    expect(shared).toBeGreaterThan(0)
    await attachments.gc([], sharing)
    expect(shared).toBe(0)
  })

  it('is worked on by one call at a time, whoever gave which up', async () => {
    const { store, things, resources, options, records } = world()
    const locks = processLocks()
    const process = () =>
      attachmentsOf({ type: 'test', store, node: { name: 'node-1' }, log: keptLog().log, locks })
    const [one, other] = [process(), process()]
    const reached = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const given = new AbortController()
    const halting: ResourceList = (intent) =>
      resources(intent).map((resource) => ({
        ...resource,
        async ensure() {
          await resource.ensure()
          if (resource.name !== 'veth') return
          reached.resolve()
          await goOn.promise
        },
      }))
    const first = one.add(id, planned(halting), { ...options, signal: given.signal })
    await reached.promise
    given.abort()
    const detached = other.del(id, resources)
    const second = other.add(id, planned(resources), options)
    goOn.resolve()
    await expect(first).rejects.toMatchObject({ code: 'CNI_TRY_AGAIN_LATER' })
    await detached
    await second
    // What the first one undid late is not the second one's.
    expect(things.size).toBe(3)
    expect(await records()).toBe(1)
  })

  it('finds what is shared, though another process was just taking it away', async () => {
    const { store, resources, options } = world()
    const locks = processLocks()
    const shared = new Set<string>()
    const resting = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const process = (idle: () => Promise<void>) =>
      attachmentsOf({ type: 'test', store, node: { name: 'node-1' }, log: keptLog().log, locks, idle })
    const leaving = process(async () => {
      resting.resolve()
      await goOn.promise
      shared.delete('bridge')
    })
    const coming = process(async () => void shared.delete('bridge'))
    const sharing: ResourceList = (intent) => [
      {
        name: 'bridge',
        ensure: async () => void shared.add('bridge'),
        verify: async () => {},
        remove: async () => {},
      },
      ...resources(intent),
    ]
    await leaving.add(id, planned(sharing), options)
    const last = leaving.del(id, sharing)
    await resting.promise
    const first = coming.add({ ...id, containerId: 'c2' }, planned(sharing), options)
    await new Promise((resolve) => setImmediate(resolve))
    goOn.resolve()
    await Promise.all([last, first])
    expect([...shared]).toEqual(['bridge'])
  })

  it('that was given up gives its addresses back, though the delegate’s calls heed their signal', async () => {
    const { store, things, options, records } = world()
    const held = new Map<string, string>()
    const ipam: PluginFactory = () => ({
      ...recordingPlugin(
        'ipam',
        [],
      )(testContext({ kernel: undefined as never, store, clock: manualClock() })),
      async add({ containerId }) {
        held.set(containerId, '10.0.0.2')
        return { interfaces: [], ips: [{ address: ifAddress('10.0.0.2/24') }], routes: [] }
      },
      del: async ({ containerId }) => void held.delete(containerId),
    })
    const context = testContext({
      kernel: undefined as never,
      store,
      clock: manualClock(),
      plugins: { ipam },
    })
    const attachments = attachmentsOf({ ...context, type: 'test' })
    const given = new AbortController()
    const request: Request = {
      config: undefined,
      source: { cniVersion: '1.1.0', name: 'net', type: 'test', ipam: { type: 'ipam' } },
      path: [],
      signal: given.signal,
    }
    const plan = (intent: Intent) => {
      const addresses = ipamResource(() => context.delegate('ipam'), request, intent)
      const link: Resource = {
        name: 'link',
        async ensure() {
          expect(addresses.result.ips).toHaveLength(1)
          things.add('link')
          given.abort()
        },
        verify: async () => {},
        remove: async () => void things.delete('link'),
      }
      return {
        resources: [addresses, link],
        result: () => ({ interfaces: [], ips: [], routes: [] }),
      }
    }
    await expect(attachments.add(id, plan, { ...options, signal: given.signal })).rejects.toMatchObject({
      code: 'CNI_TRY_AGAIN_LATER',
      details: undefined,
    })
    expect([...things]).toEqual([])
    expect([...held]).toEqual([])
    expect(await records()).toBe(0)
  })

  it('leaves other nodes of the network alone', async () => {
    const store = memoryStore({ clock: manualClock() })
    const { attachments, resources, options } = world(store)
    await attachments.add(id, planned(resources), options)
    const other = attachmentsOf({ type: 'test', store, node: { name: 'node-2' }, log: keptLog().log })
    await other.gc([], resources)
    expect(await attachments.list()).toEqual([id])
  })

  it('brings the world back to what it was, wherever it is killed and whatever fails on the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(8), fc.constantFrom('del', 'gc'), async (killedAt, verb) => {
        const { attachments, restarted, resources, options, things, records } = world()
        let count = 0
        const mortal: ResourceList = (intent) =>
          resources(intent).map((resource) => ({
            ...resource,
            ensure: () => (count++ === killedAt ? new Promise<never>(() => {}) : resource.ensure()),
          }))
        await Promise.race([
          attachments.add(id, planned(mortal), options),
          new Promise((resolve) => setImmediate(resolve)),
        ])
        const next = restarted()
        await (verb === 'del' ? next.del(id, resources) : next.gc([], resources))
        expect(things.size).toBe(0)
        expect(await records()).toBe(0)
      }),
      { numRuns: 40 },
    )
  })
})
