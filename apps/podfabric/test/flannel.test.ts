import { type Agent, agent } from '@podfabric/agent'
import { parseNetworkList } from '@podfabric/cni'
import { keptLog } from '@podfabric/cni/testing'
import { failNth, type Kernel, withMiddleware } from '@podfabric/kernel'
import { simulate, type VirtualClock } from '@podfabric/kernel-sim'
import { addressOf, ifAddress } from '@podfabric/netaddr'
import { memoryStore, type Store } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { shippedPlugins } from '../src/plugins.ts'

const network = (keys: object = {}) =>
  parseNetworkList(
    JSON.stringify({
      cniVersion: '1.1.0',
      name: 'pods',
      plugins: [{ type: 'flannel', network: '10.244.0.0/16', ...keys }],
    }),
  )

describe('flannel on two nodes, by the agent, with the plugins that it delegates to', () => {
  let kernels: Kernel[]
  let clock: VirtualClock
  let store: Store
  let agents: Agent[]

  beforeEach(() => {
    const simulated = simulate()
    const underlay = simulated.underlay()
    clock = simulated.clock
    store = memoryStore({ clock })
    kernels = [1, 2].map((n) => {
      underlay.attach(`node-${n}`, { addresses: [ifAddress(`192.168.50.${n}/24`)] })
      return simulated.node(`node-${n}`)
    })
    agents = kernels.map((kernel, index) => agentOn(kernel, `node-${index + 1}`))
  })
  afterEach(async () => {
    for (const each of agents) await each.stop()
  })

  const agentOn = (kernel: Kernel, name: string) => {
    const { log } = keptLog()
    let count = Number(name.at(-1)) * 1000
    const random = () => (count++ * 0.618_033_988_749_895) % 1
    return agent({ node: { name }, kernel, store, plugins: shippedPlugins, clock, random, log })
  }
  const on = (index: number) => {
    const [found, kernel] = [agents[index], kernels[index]]
    if (!found || !kernel) throw new RangeError(`there is no node ${index}`)
    return { ...found, kernel }
  }
  async function pod(index: number, name: string, ifName = 'eth0') {
    const { kernel } = on(index)
    const known = (await kernel.netns.list()).find((each) => each.name === name)
    const netns = known ? await kernel.netns.open(known.path) : await kernel.netns.create(name)
    await netns[Symbol.asyncDispose]()
    return { containerId: name, ifName, netns: netns.path }
  }
  async function ping(
    index: number,
    { netns: path }: { netns: string },
    destination: ReturnType<typeof addressOf>,
  ) {
    const { kernel } = on(index)
    const netns = await kernel.netns.open(path)
    const at = kernel.in(netns)
    try {
      return (await at.sockets.echo({ destination, timeout: 1000 })).kind
    } finally {
      await at[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
    }
  }
  async function hostState(index: number) {
    const host = on(index).kernel.in(on(index).kernel.netns.host)
    try {
      const [links, routes] = await Promise.all([host.links.list(), host.routes.list()])
      return [
        ...links.map(({ name }) => name),
        ...routes.map(({ destination, link }) => `${destination} ${link}`),
      ]
    } finally {
      await host[Symbol.asyncDispose]()
    }
  }
  const keys = async () =>
    (await store.list('')).entries.map(({ key }) => key).filter((key) => !/cursors/.test(key))

  it('refuses ADD until the controller runs, then serves it, and leaves nothing after the last DEL', async () => {
    const a = await pod(0, 'a')
    await expect(on(0).runtime.addOrUndo(network(), a)).rejects.toMatchObject({ number: 50 })
    for (const each of agents) await each.start(network())
    const [node, state] = [await hostState(0), await keys()]
    const b = await pod(1, 'b')
    const first = await on(0).runtime.add(network(), a)
    const second = await on(1).runtime.add(network(), b)
    expect(first.ips[0]).toMatchObject({ address: '10.244.1.2/24', gateway: '10.244.1.1' })
    expect(second.ips[0]).toMatchObject({ address: '10.244.2.2/24', gateway: '10.244.2.1' })
    expect(first.interfaces.map(({ mtu }) => mtu)).toEqual([1450, 1450, 1450])
    expect(await ping(0, a, addressOf(ifAddress('10.244.2.2/24')))).toBe('reply')
    expect(await ping(1, b, addressOf(ifAddress('10.244.1.2/24')))).toBe('reply')
    await on(0).runtime.check(network(), a)
    await on(0).runtime.status(network())
    await on(0).runtime.del(network(), a)
    await on(0).runtime.del(network(), a)
    await on(1).runtime.del(network(), b)
    expect(await hostState(0)).toEqual(node)
    expect(await keys()).toEqual(state)
  })

  it('undoes with what it was made, though the configuration has changed since', async () => {
    await on(0).start(network())
    const before = await hostState(0)
    const a = await pod(0, 'a')
    await on(0).runtime.add(network(), a)
    await on(0).runtime.del(network({ delegate: { bridge: 'other0' } }), a)
    expect(await hostState(0)).toEqual(before)
  })

  it('leaves nothing of an ADD that fails, at whichever operation', async () => {
    for (const each of agents) await each.start(network())
    const before = [await hostState(0), await keys()]
    const a = await pod(0, 'a')
    let failed = 0
    for (let n = 1; ; n++) {
      const faulty = agentOn(withMiddleware(on(0).kernel, failNth(n, 'ENOBUFS')), 'node-1')
      const outcome = await faulty.runtime.addOrUndo(network(), a).then(
        () => 'added',
        (error: unknown) => error,
      )
      if (outcome === 'added') {
        await on(0).runtime.del(network(), a)
        break
      }
      failed++
      expect([await hostState(0), await keys()], `operation ${n}`).toEqual(before)
    }
    expect(failed).toBeGreaterThan(5)
    expect([await hostState(0), await keys()]).toEqual(before)
  })

  it('refuses a second ADD of an attachment, and the first goes on', async () => {
    for (const each of agents) await each.start(network())
    const [a, b] = [await pod(0, 'a'), await pod(1, 'b')]
    await on(0).runtime.add(network(), a)
    await on(1).runtime.add(network(), b)
    await expect(on(0).runtime.add(network(), a)).rejects.toMatchObject({ number: 103 })
    expect(await ping(0, a, addressOf(ifAddress('10.244.2.2/24')))).toBe('reply')
    await on(0).runtime.check(network(), a)
  })

  it('collects what belongs to no valid attachment', async () => {
    await on(0).start(network())
    const [a, c] = [await pod(0, 'a'), await pod(0, 'c')]
    await on(0).runtime.add(network(), a)
    const alone = await hostState(0)
    await on(0).runtime.add(network(), c)
    await on(0).runtime.gc(network(), [a])
    expect(await hostState(0)).toEqual(alone)
    await on(0).runtime.check(network(), a)
  })

  it('says in STATUS when the node’s tables are not in order', async () => {
    for (const each of agents) await each.start(network())
    const host = on(0).kernel.in(on(0).kernel.netns.host)
    await host.routes.replace({
      destination: (await host.routes.list()).find(({ link, gateway }) => link === 'flannel.1' && gateway)
        ?.destination as never,
      link: 'eth0',
      protocol: 4,
    })
    await clock.advance(0)
    await expect(on(0).runtime.status(network())).rejects.toMatchObject({
      number: 51,
      details: expect.stringContaining('EEXIST'),
    })
    await host[Symbol.asyncDispose]()
  })
})
