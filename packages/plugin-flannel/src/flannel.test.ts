import { parseNetworkList, parsePluginConfig } from '@podfabric/cni'
import { type CniRuntime, cniRuntime, type InProcess, inProcess } from '@podfabric/cni/runtime'
import { keptLog, type RecordedCall, recordingPlugin } from '@podfabric/cni/testing'
import { prefix } from '@podfabric/netaddr'
import type { Store } from '@podfabric/store'
import { beforeEach, describe, expect, it } from 'vitest'
import flannel from './flannel.ts'
import { simulatedLab, storeOn } from './network.fixture.ts'
import { nodeRecords } from './node-record.ts'

const one = { containerId: 'one', ifName: 'eth0', netns: '/run/netns/one' }

function network(keys: object = {}) {
  return parseNetworkList(
    JSON.stringify({
      cniVersion: '1.1.0',
      name: 'net',
      plugins: [{ type: 'flannel', network: '10.244.0.0/16', ...keys }],
    }),
  )
}

describe('an attachment to flannel', () => {
  let calls: RecordedCall[]
  let store: Store
  let runtime: CniRuntime
  let exec: InProcess
  let newRuntime: () => CniRuntime
  let before: (call: RecordedCall) => void

  beforeEach(async () => {
    const lab = simulatedLab()
    const [kernel] = await lab.nodes(1)
    if (!kernel) throw new Error('no node')
    calls = []
    before = () => undefined
    store = storeOn(lab.clock)
    const { log } = keptLog()
    const bridge = recordingPlugin('bridge', calls, { before: (call) => before(call) })
    exec = inProcess({
      plugins: { flannel, bridge },
      context: () => ({ kernel, store, clock: lab.clock, log, random: () => 0.5, node: { name: 'node-1' } }),
    })
    newRuntime = () => cniRuntime({ exec, store: storeOn(lab.clock), log })
    runtime = newRuntime()
  })

  const lease = (subnet = '10.244.7.0/24', mtu = 1450) =>
    nodeRecords(store).put('node-1', { subnet: prefix(subnet), mtu })
  const commands = () => calls.map(({ command }) => command)
  const sources = () => calls.map(({ request }) => request.source)
  const records = async () => (await store.list('delegates/')).entries.map(({ key }) => key)

  it('fails with 50 before the node has a subnet, says why, and calls nobody', async () => {
    const refused = {
      number: 50,
      message: expect.stringContaining('node node-1 has no subnet yet'),
      details: 'the node’s controller leases one; is the agent running there?',
    }
    await expect(runtime.add(network(), one)).rejects.toMatchObject(refused)
    await expect(runtime.status(network())).rejects.toMatchObject(refused)
    expect(calls).toEqual([])
    expect(await records()).toEqual([])
  })

  it('is the bridge plugin’s work in the node’s subnet; the keys under delegate win, the network’s own are not told', async () => {
    await lease()
    await runtime.add(network({ delegate: { bridge: 'pods0', hairpinMode: false } }), one)
    expect(sources()).toEqual([
      {
        cniVersion: '1.1.0',
        name: 'net',
        type: 'bridge',
        bridge: 'pods0',
        isDefaultGateway: true,
        ipMasq: false,
        hairpinMode: false,
        mtu: 1450,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: '10.244.7.0/24' }]],
          routes: [{ dst: '10.244.0.0/16' }, { dst: '0.0.0.0/0' }],
        },
      },
    ])
    expect(await records()).toEqual(['delegates/node-1/one/eth0'])
  })

  it('is undone as it was made, whatever the configuration and the subnet have become', async () => {
    await lease()
    await runtime.add(network(), one)
    await lease('10.244.9.0/24', 1400)
    const changed = network({ delegate: { bridge: 'other0' } })
    await runtime.check(changed, one)
    await runtime.del(changed, one)
    const [made, checked, undone] = sources()
    const plain = ({ prevResult, ...rest }: Record<string, unknown> = {}) => rest
    expect(plain(checked)).toEqual(made)
    expect(plain(undone)).toEqual(made)
    expect(await records()).toEqual([])
  })

  it('that lives is known again after the loss of the store, once the node has its subnet, and then undone', async () => {
    const plugin = await exec.plugin('net', 'flannel')
    const source = parsePluginConfig(
      { cniVersion: '1.1.0', name: 'net', type: 'flannel', network: '10.244.0.0/16' },
      plugin,
    )
    const common = { config: plugin.parse(source), source, path: [], signal: new AbortController().signal }
    const ours = { ...one, addresses: [], markedBy: ['bridge'] }
    const theirs = { containerId: 'two', ifName: 'eth0', addresses: [], markedBy: [] }
    await plugin.rebuild?.({ ...common, found: [theirs] })
    await expect(plugin.rebuild?.({ ...common, found: [ours, theirs] })).rejects.toMatchObject({ number: 50 })
    expect(await records()).toEqual([])
    await lease()
    await plugin.rebuild?.({ ...common, found: [ours, theirs] })
    expect(await records()).toEqual(['delegates/node-1/one/eth0'])
    await runtime.del(network(), one)
    expect(commands()).toEqual(['DEL'])
    expect(sources()).toMatchObject([{ ipam: { ranges: [[{ subnet: '10.244.7.0/24' }]] } }])
    expect(await records()).toEqual([])
  })

  it('that is not known is no failure of DEL, and one of CHECK', async () => {
    await runtime.del(network(), one)
    expect(calls).toEqual([])
    await lease()
    await runtime.add(network(), one)
    await store.delete('delegates/node-1/one/eth0')
    await expect(runtime.check(network(), one)).rejects.toMatchObject({ number: 104 })
  })

  it('that failed is undone at once, and nothing is left of it', async () => {
    await lease()
    before = ({ command }) => {
      if (command === 'ADD') throw new Error('no')
    }
    await expect(runtime.add(network(), one)).rejects.toThrow('no')
    expect(commands()).toEqual(['ADD', 'DEL'])
    expect(await records()).toEqual([])
  })

  it('that failed and could not be undone is remembered for the next DEL', async () => {
    await lease()
    before = ({ command }) => {
      throw new Error(`no ${command}`)
    }
    await expect(runtime.add(network(), one)).rejects.toThrow('no ADD')
    expect(await records()).toEqual(['delegates/node-1/one/eth0'])
    before = () => undefined
    await runtime.del(network(), one)
    expect(await records()).toEqual([])
  })

  it('that is there is not undone by a second ADD that fails', async () => {
    await lease()
    await runtime.add(network(), one)
    before = ({ command }) => {
      if (command === 'ADD') throw new Error('it is attached already')
    }
    await expect(newRuntime().add(network(), one)).rejects.toThrow('it is attached already')
    expect(commands()).toEqual(['ADD', 'ADD'])
    expect(await records()).toEqual(['delegates/node-1/one/eth0'])
  })

  it('that is not valid any more is forgotten by GC, and the others are not', async () => {
    await runtime.gc(network(), [])
    expect(calls).toEqual([])
    await lease()
    await runtime.add(network(), one)
    await runtime.add(network(), { ...one, containerId: 'two' })
    await runtime.gc(network(), [one])
    expect(calls.at(-1)).toMatchObject({
      command: 'GC',
      request: { validAttachments: [{ containerId: 'one' }] },
    })
    expect(await records()).toEqual(['delegates/node-1/one/eth0'])
  })
})
