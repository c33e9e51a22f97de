import { parseNetworkList } from '@podfabric/cni'
import { cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { keptLog, pluginContract } from '@podfabric/cni/testing'
import { sandbox, type TestNode, testIpam, testKernels, within } from '@podfabric/conformance/testing'
import { failNth, type Kernel, systemClock, withMiddleware } from '@podfabric/kernel'
import { ip, prefix } from '@podfabric/netaddr'
import { memoryStore, type Store } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import sample from './index.ts'

const network = parseNetworkList(
  JSON.stringify({
    cniVersion: '1.1.0',
    name: 'net',
    plugins: [{ type: 'sample', mtu: 1400, ipam: { type: 'test-ipam', subnets: ['10.99.0.0/24'] } }],
  }),
)

describe.each(testKernels)('sample on $name', ({ skip, make }) => {
  let node: TestNode
  let store: Store
  beforeEach(async () => {
    if (skip) return
    node = await make()
    store = memoryStore({ clock: systemClock })
  })
  afterEach(async () => {
    if (!skip) await node.close()
  })

  function runtime(kernel: Kernel = node.kernel) {
    const { log } = keptLog()
    const clock = systemClock
    const exec = inProcess({
      plugins: { sample, 'test-ipam': testIpam },
      context: () => ({ kernel, clock, log, store, random: () => 0, node: { name: 'n' } }),
    })
    return cniRuntime({ exec, store: memoryStore({ clock }), log })
  }

  const left = () =>
    within(node.kernel, '', async ({ links, routes }) => [
      ...(await links.list()).map(({ name }) => name),
      ...(await routes.list()).map(({ destination }) => destination).filter((each) => each.startsWith('10.')),
      ...(await store.list('')).entries.map(({ key }) => key).filter((key) => !key.includes('cursors')),
    ])

  it.skipIf(skip)('routes between containers, and leaves nothing when they go', async () => {
    const before = await left()
    const own = runtime()
    const one = { containerId: 'one', ifName: 'eth0', netns: await sandbox(node.kernel, 'one') }
    const two = { containerId: 'two', ifName: 'eth0', netns: await sandbox(node.kernel, 'two') }
    const result = await own.add(network, one)
    expect(result).toMatchObject({
      interfaces: [{ mtu: 1400 }, { name: 'eth0', sandbox: one.netns }],
      ips: [{ address: '10.99.0.2/32', gateway: '169.254.1.1', interface: 1 }],
    })
    await own.add(network, two)
    await own.check(network, one)
    await within(node.kernel, one.netns, async ({ sockets }) => {
      expect((await sockets.echo({ destination: ip('10.99.0.3'), timeout: 2000 })).kind).toBe('reply')
    })
    await within(node.kernel, '', ({ routes }) => routes.delete({ destination: prefix('10.99.0.2/32') }))
    await expect(own.check(network, one)).rejects.toMatchObject({ number: 104 })
    await own.del(network, one)
    await runtime().gc(network, [])
    expect(await left()).toEqual(before)
  })

  it.skipIf(skip)('leaves nothing when any of its operations fails', async () => {
    const one = { containerId: 'one', ifName: 'eth0', netns: await sandbox(node.kernel, 'one') }
    const before = await left()
    let failed = 0
    for (;;) {
      const failing = runtime(withMiddleware(node.kernel, failNth(failed + 1, 'ENOBUFS')))
      const result = await failing.add(network, one).catch((error: unknown) => error)
      if (!(result instanceof Error)) break
      failed++
      expect([failed, await left()]).toEqual([failed, before])
    }
    expect(failed).toBe(7)
  })
})

describe('sample as a plugin', () => {
  for (const { name, run } of pluginContract(sample)) it(name, run)
})
