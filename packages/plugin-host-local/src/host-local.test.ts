import { type Exec, parseNetworkList } from '@podfabric/cni'
import { cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { keptLog, pluginContract } from '@podfabric/cni/testing'
import { memoryStore } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import hostLocal, { parseHostLocalConfig } from './index.ts'

/** host-local called as the only plugin: what an upper plugin would hand over, and take back. */
function world(ipam: object, nodes = ['node-1']) {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const { log, logged } = keptLog()
  const execs = nodes.map(
    (name): Exec =>
      inProcess({
        plugins: { 'host-local': hostLocal },
        // The plugin has no use for a kernel.
        context: () => ({ kernel: {} as never, store, clock, log, random: () => 0, node: { name } }),
      }),
  )
  const runtimes = execs.map((exec) => cniRuntime({ exec, store: memoryStore({ clock }), log }))
  const list = (more: object = {}) =>
    parseNetworkList(
      JSON.stringify({
        cniVersion: '1.1.0',
        name: 'net',
        plugins: [
          {
            type: 'host-local',
            capabilities: { ips: true, ipRanges: true },
            ipam: { type: 'host-local', ...ipam, ...more },
          },
        ],
      }),
    )
  const [runtime = raise()] = runtimes
  const attachment = (n: number, more: object = {}) => ({
    containerId: `c${n}`,
    ifName: 'eth0',
    netns: '/run/netns/x',
    ...more,
  })
  const keys = async () => (await store.list('')).entries.map(({ key }) => key)
  return { runtime, runtimes, list, attachment, store, keys, logged }
}

function raise(): never {
  throw new Error('there is no runtime')
}

const dual = {
  ranges: [[{ subnet: '10.88.0.0/29' }], [{ subnet: 'fd00::/125', gateway: 'fd00::5' }]],
  routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0', gw: 'fd00::6', priority: 7 }],
}

describe('host-local', () => {
  it('gives an address of each range with its gateway, and the routes, but no interface', async () => {
    const { runtime, list, attachment } = world(dual)
    expect(await runtime.add(list(), attachment(1))).toEqual({
      interfaces: [],
      ips: [
        { address: '10.88.0.2/29', gateway: '10.88.0.1' },
        { address: 'fd00::1/125', gateway: 'fd00::5' },
      ],
      routes: [{ destination: '0.0.0.0/0' }, { destination: '::/0', gateway: 'fd00::6', priority: 7 }],
    })
  })

  it('fails ADD of a full range with number 101, holds nothing for it, and STATUS says 50 meanwhile', async () => {
    const { runtime, list, attachment, keys } = world({ subnet: '10.88.0.0/30' })
    await runtime.status(list())
    await runtime.add(list(), attachment(1))
    const before = await keys()
    await expect(runtime.addOrUndo(list(), attachment(2))).rejects.toMatchObject({ number: 101 })
    expect(await keys()).toEqual(before)
    await expect(runtime.status(list())).rejects.toMatchObject({ number: 50 })
    await runtime.del(list(), attachment(1))
    await runtime.status(list())
    await runtime.add(list(), attachment(3))
  })

  it('leaves no owner and no address after DEL, which may be repeated', async () => {
    const { runtime, list, attachment, keys } = world(dual)
    await runtime.add(list(), attachment(1))
    await runtime.check(list(), attachment(1))
    await runtime.del(list(), attachment(1))
    await runtime.del(list(), { ...attachment(1), netns: '' })
    expect((await keys()).filter((key) => /owners|addresses/.test(key))).toEqual([])
  })

  it('fails CHECK when the address was taken away meanwhile', async () => {
    const { runtime, list, attachment, store, keys } = world(dual)
    await runtime.add(list(), attachment(1))
    for (const key of await keys()) await store.delete(key)
    await expect(runtime.check(list(), attachment(1))).rejects.toMatchObject({ number: 104 })
  })

  it('collects what is not valid any more', async () => {
    const { runtime, list, attachment } = world({ subnet: '10.88.0.0/29' })
    for (const n of [1, 2, 3]) await runtime.add(list(), attachment(n))
    await runtime.gc(list(), [attachment(2)])
    await runtime.check(list(), attachment(2))
    for (const n of [4, 5, 6, 7]) await runtime.add(list(), attachment(n))
    await expect(runtime.addOrUndo(list(), attachment(8))).rejects.toMatchObject({ number: 101 })
  })

  it('keeps the addresses of each node apart, so that no node takes another’s away', async () => {
    const { runtimes, list, attachment } = world({ subnet: '10.88.0.0/29' }, ['node-1', 'node-2'])
    const [one = raise(), two = raise()] = runtimes
    const first = await one.add(list(), attachment(1))
    const second = await two.add(list(), attachment(2))
    expect(first.ips).toEqual(second.ips)
    await two.gc(list(), [])
    await one.check(list(), attachment(1))
  })

  it('gives what was asked for: by capability, by CNI_ARGS, and of ranges that come with the call', async () => {
    const { runtime, list, attachment } = world({ subnet: '10.88.0.0/24' })
    const first = await runtime.add(list(), attachment(1, { capabilityArgs: { ips: ['10.88.0.77/24'] } }))
    expect(first.ips[0]?.address).toBe('10.88.0.77/24')
    const second = await runtime.add(list(), attachment(2, { args: { IP: '10.88.0.78' } }))
    expect(second.ips[0]?.address).toBe('10.88.0.78/24')
    const ipRanges = [[{ subnet: '10.99.0.0/24', rangeStart: '10.99.0.9' }]]
    const third = await runtime.add(list(), attachment(3, { capabilityArgs: { ipRanges } }))
    expect(third.ips.map(({ address }) => address)).toEqual(['10.99.0.9/24', '10.88.0.2/24'])
    await expect(
      runtime.addOrUndo(list(), attachment(4, { args: { IP: '10.88.0.78' } })),
    ).rejects.toMatchObject({ number: 102 })
    await expect(runtime.addOrUndo(list(), attachment(5, { args: { IP: 'x' } }))).rejects.toMatchObject({
      number: 7,
    })
  })

  it.each<[object, number, string]>([
    [{}, 7, 'ipam.subnet: it is missing'],
    [{ ranges: [] }, 7, 'ipam.subnet: it is missing'],
    [{ subnet: '10.88.0.1/24' }, 7, 'ipam.subnet: "10.88.0.1/24" is not a prefix'],
    [{ ranges: [[{ subnet: '10.88.0.0/24' }], []] }, 7, 'ipam.ranges[1]: expected at least one range'],
    [
      { ranges: [[{ subnet: '10.88.0.0/24', gateway: 5 }]] },
      7,
      'ipam.ranges[0][0].gateway: expected string, found 5',
    ],
    [{ subnet: '10.88.0.0/24', routes: [{}] }, 7, 'ipam.routes[0].dst: it is missing'],
    [
      { subnet: '10.88.0.0/24', resolvConf: '/etc/resolv.conf' },
      2,
      'ipam.resolvConf: "/etc/resolv.conf" is not supported',
    ],
    [{ subnet: '10.88.0.0/24', rangeStart: '10.99.0.1' }, 7, 'rangeStart 10.99.0.1 is not in 10.88.0.0/24'],
    [{ ranges: [[{ subnet: '10.88.0.0/24' }], [{ subnet: '10.88.0.0/25' }]] }, 7, 'overlaps'],
  ])('refuses %j', async (ipam, number, message) => {
    const { runtime, list, attachment } = world(ipam)
    await expect(runtime.addOrUndo(list(), attachment(1))).rejects.toMatchObject({
      number,
      message: expect.stringContaining(message),
    })
  })

  it('reads a configuration or refuses it with a CNI error, whatever it holds', () => {
    const keys = fc.constantFrom('ranges', 'subnet', 'rangeStart', 'gateway', 'routes', 'dataDir')
    fc.assert(
      fc.property(fc.dictionary(keys, fc.oneof(fc.jsonValue(), fc.constant('10.0.0.0/8'))), (ipam) => {
        try {
          parseHostLocalConfig({
            cniVersion: '1.1.0',
            name: 'net',
            type: 'x',
            ipam: { ...(ipam as Record<string, never>), type: 'host-local' },
          })
        } catch (error) {
          expect(error).toMatchObject({ name: 'CniError' })
        }
      }),
    )
  })
})

describe('host-local as a plugin', () => {
  for (const { name, run } of pluginContract(hostLocal)) it(name, run)
})
