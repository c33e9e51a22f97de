import { parseNetworkList } from '@podfabric/cni'
import { cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { keptLog, pluginContract } from '@podfabric/cni/testing'
import { sandbox, type TestNode, testKernels, within } from '@podfabric/conformance/testing'
import { systemClock } from '@podfabric/kernel'
import { ip } from '@podfabric/netaddr'
import { memoryStore } from '@podfabric/store'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import loopback from './index.ts'

const list = (cniVersion = '1.0.0') =>
  parseNetworkList(JSON.stringify({ cniVersion, name: 'lo', plugins: [{ type: 'loopback' }] }))

describe.each(testKernels)('loopback on $name', ({ skip, make }) => {
  let node: TestNode
  beforeEach(async () => {
    if (!skip) node = await make()
  })
  afterEach(async () => {
    if (!skip) await node.close()
  })

  function runtime() {
    const { kernel } = node
    const { log } = keptLog()
    const clock = systemClock
    const exec = inProcess({
      plugins: { loopback },
      context: () => ({
        kernel,
        clock,
        log,
        store: memoryStore({ clock }),
        random: () => 0,
        node: { name: 'n' },
      }),
    })
    return cniRuntime({ exec, store: memoryStore({ clock }), log })
  }

  it.skipIf(skip)('makes localhost answer, in the container alone', async () => {
    const netns = await sandbox(node.kernel, 'one')
    const other = await sandbox(node.kernel, 'two')
    const attachment = { containerId: 'one', ifName: 'lo', netns }
    const result = await runtime().add(list(), attachment)
    expect(result).toEqual({
      interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: netns }],
      ips: [
        { address: '127.0.0.1/8', interface: 0 },
        { address: '::1/128', interface: 0 },
      ],
      routes: [],
    })
    await within(node.kernel, netns, async ({ sockets }) => {
      expect((await sockets.echo({ destination: ip('127.0.0.1') })).kind).toBe('reply')
      expect((await sockets.echo({ destination: ip('::1') })).kind).toBe('reply')
    })
    await within(node.kernel, other, async ({ links }) => {
      expect((await links.get('lo')).up).toBe(false)
    })
  })

  it.skipIf(skip)('fails CHECK where lo is down, and DELs with and without a namespace', async () => {
    const netns = await sandbox(node.kernel, 'one')
    const attachment = { containerId: 'one', ifName: 'lo', netns }
    const own = runtime()
    await own.add(list('0.4.0'), attachment)
    await own.check(list('0.4.0'), attachment)
    await within(node.kernel, netns, ({ links }) => links.set('lo', { up: false }))
    await expect(own.check(list('0.4.0'), attachment)).rejects.toMatchObject({ number: 104 })
    await own.del(list(), attachment)
    await own.del(list(), { ...attachment, netns: '' })
    await own.del(list(), { ...attachment, netns: '/run/netns/gone' })
  })

  it.skipIf(skip)('never touches the node’s own lo', async () => {
    const own = runtime()
    await expect(
      own.add(list(), { containerId: 'one', ifName: 'lo', netns: '/run/netns/gone' }),
    ).rejects.toMatchObject({ number: 4 })
    await within(node.kernel, '', async ({ links }) => {
      expect((await links.get('lo')).up).toBe(true)
    })
  })
})

describe('loopback as a plugin', () => {
  for (const { name, run } of pluginContract(loopback)) it(name, run)
})
