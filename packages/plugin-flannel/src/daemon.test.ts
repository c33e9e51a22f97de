import { parseNetworkList } from '@podfabric/cni'
import { type CniRuntime, cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { keptLog, type LoggedLine, type RecordedCall, recordingPlugin } from '@podfabric/cni/testing'
import { memoryStore, type Store } from '@podfabric/store'
import { manualClock } from '@podfabric/store/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { flannelOn } from './flannel.ts'
import { type KeptFiles, keptFiles } from './kept-files.fixture.ts'

const subnetFile = '/run/flannel/subnet.env'
const dataDir = '/var/lib/cni/flannel'
const environment = `FLANNEL_NETWORK=10.244.0.0/16
FLANNEL_SUBNET=10.244.7.1/24
FLANNEL_MTU=1450
FLANNEL_IPMASQ=true
`
const one = { containerId: 'one', ifName: 'eth0', netns: '/run/netns/one' }

function network(keys: object = {}, more: object = {}) {
  return parseNetworkList(
    JSON.stringify({ cniVersion: '1.1.0', name: 'cbr0', ...more, plugins: [{ type: 'flannel', ...keys }] }),
  )
}

describe('flannel in the place of Flannel’s own plugin', () => {
  let files: KeptFiles
  let calls: RecordedCall[]
  let store: Store
  let runtime: CniRuntime
  let logged: readonly LoggedLine[]
  let before: (call: RecordedCall) => void

  beforeEach(() => {
    const clock = manualClock()
    files = keptFiles({ [subnetFile]: environment })
    calls = []
    before = () => undefined
    store = memoryStore({ clock })
    const kept = keptLog()
    logged = kept.logged
    const recorded = (type: string) => recordingPlugin(type, calls, { before: (call) => before(call) })
    const exec = inProcess({
      plugins: { flannel: flannelOn(files), bridge: recorded('bridge'), ipvlan: recorded('ipvlan') },
      // It leaves the kernel to its delegate.
      context: () => ({
        kernel: {} as never,
        store,
        clock,
        log: kept.log,
        random: () => 0,
        node: { name: 'node-1' },
      }),
    })
    runtime = cniRuntime({ exec, store: memoryStore({ clock }), log: kept.log })
  })

  const told = () => calls.map(({ command, type }) => `${command} ${type}`)
  const sources = () => calls.map(({ request: { source } }) => source)
  const saved = (containerId = 'one') => {
    const text = files.texts.get(`${dataDir}/${containerId}`)
    return text === undefined ? undefined : JSON.parse(text)
  }
  const asGo = (containerId: string, name = 'cbr0', more: object = {}) => {
    const config = {
      cniVersion: '1.1.0',
      hairpinMode: true,
      ipMasq: false,
      ipam: {
        ranges: [[{ subnet: '10.244.7.0/24' }]],
        routes: [{ dst: '10.244.0.0/16' }],
        type: 'host-local',
      },
      isDefaultGateway: true,
      isGateway: true,
      mtu: 1450,
      name,
      type: 'bridge',
      ...more,
    }
    files.texts.set(`${dataDir}/${containerId}`, JSON.stringify(config))
    return config
  }

  it('delegates what its documentation says, and saves it for whoever deletes', async () => {
    await runtime.add(network({ delegate: { hairpinMode: true, isDefaultGateway: true } }), one)
    const config = asGo('as-go')
    expect(sources()).toEqual([config])
    expect(saved()).toEqual(config)
  })

  it('leaves out what is written under delegate, and hands its other keys on', async () => {
    const delegate = { bridge: 'mynet0', mtu: 1400, ipMasq: true }
    await runtime.add(network({ delegate }), one)
    expect(sources()).toMatchObject([delegate])
  })

  it('delegates to another plugin, without the keys of bridge', async () => {
    await runtime.add(network({ delegate: { type: 'ipvlan', master: 'eth0' } }), one)
    await runtime.del(network(), one)
    expect(told()).toEqual(['ADD ipvlan', 'DEL ipvlan'])
    expect(sources()[0]).toEqual({
      cniVersion: '1.1.0',
      name: 'cbr0',
      type: 'ipvlan',
      master: 'eth0',
      ipMasq: false,
      mtu: 1450,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: '10.244.7.0/24' }]],
        routes: [{ dst: '10.244.0.0/16' }],
      },
    })
  })

  it('keeps what ipam says but for ranges, its routes first; both families', async () => {
    files.texts.set(
      subnetFile,
      `${environment}FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:7::1/64\nFLANNEL_IPMASQ=false\n`,
    )
    const routes = [{ dst: '192.168.0.0/16', gw: '10.244.7.9' }]
    await runtime.add(network({ ipam: { type: 'other', dataDir: '/x', ranges: [], routes } }), one)
    await runtime.add(network({ ipam: { routes } }), { ...one, containerId: 'two' })
    const ipam = {
      ranges: [[{ subnet: '10.244.7.0/24' }], [{ subnet: 'fd00:0:0:7::/64' }]],
      routes: [...routes, { dst: '10.244.0.0/16' }, { dst: 'fd00::/48' }],
    }
    expect(sources()).toMatchObject([
      { ipMasq: true, ipam: { type: 'other', dataDir: '/x', ...ipam } },
      { ipam: { type: 'host-local', ...ipam } },
    ])
  })

  it('hands on what the runtime asks for, and saves it', async () => {
    const keys = { capabilities: { mac: true }, args: { cni: { ips: ['10.244.7.9'] } } }
    await runtime.add(network(keys), {
      ...one,
      capabilityArgs: { mac: '02:00:00:00:00:01' },
    })
    const asked = { runtimeConfig: { mac: '02:00:00:00:00:01' }, args: keys.args }
    expect(sources()).toMatchObject([asked])
    expect(saved()).toMatchObject(asked)
  })

  it('says which file is missing, and that it is worth another try; STATUS is 50', async () => {
    files.texts.delete(subnetFile)
    const missing = {
      message: expect.stringContaining(`subnetFile: there is no ${subnetFile} yet`),
      details: 'Flannel’s daemon writes it; is it running on this node?',
    }
    await expect(runtime.add(network(), one)).rejects.toMatchObject({ number: 11, ...missing })
    await expect(runtime.status(network())).rejects.toMatchObject({ number: 50, ...missing })
    files.texts.set(subnetFile, 'FLANNEL_MTU=1450\n')
    const two = { ...one, containerId: 'two' }
    await expect(runtime.add(network(), two)).rejects.toMatchObject({ number: 6 })
    files.texts.set(subnetFile, environment)
    await runtime.status(network())
    expect(told()).toEqual(['STATUS bridge'])
  })

  it('deletes as it was added, without the daemon’s file, and nothing of the record stays', async () => {
    await runtime.add(network({ delegate: { bridge: 'old0' } }), one)
    files.texts.delete(subnetFile)
    await runtime.del(network({ delegate: { bridge: 'new0' } }), one)
    expect(told()).toEqual(['ADD bridge', 'DEL bridge'])
    expect(sources()[1]).toMatchObject({ bridge: 'old0', mtu: 1450 })
    expect(saved()).toBeUndefined()
    expect((await store.list('delegates/')).entries).toEqual([])
  })

  it('deletes and checks what Flannel’s own plugin added', async () => {
    const config = asGo('one')
    files.texts.delete(subnetFile)
    await runtime.del(network(), one)
    const { prevResult, ...source } = { prevResult: undefined, ...sources()[0] }
    expect(source).toEqual(config)
    expect(saved()).toBeUndefined()
    await runtime.del(network(), one)
    expect(told()).toEqual(['DEL bridge'])
  })

  it('neither reads nor removes the file of another network', async () => {
    asGo('one', 'other')
    await runtime.del(network(), one)
    await runtime.gc(network(), [])
    expect(told()).toEqual(['GC bridge'])
    expect(saved()).toMatchObject({ name: 'other' })
  })

  it('keeps apart the interfaces of one container, whose file they share', async () => {
    await runtime.add(network({ delegate: { bridge: 'a0' } }), one)
    await runtime.add(network({ delegate: { bridge: 'b0' } }), { ...one, ifName: 'eth1' })
    await runtime.del(network(), { ...one, ifName: 'eth1' })
    await runtime.del(network(), one)
    expect(sources().map(({ bridge }) => bridge)).toEqual(['a0', 'b0', 'b0', 'a0'])
  })

  it('with a damaged file deletes as it would add now, and leaves the file', async () => {
    files.texts.set(`${dataDir}/one`, '{"name":')
    await runtime.del(network({ delegate: { bridge: 'now0' } }), one)
    expect(sources()).toMatchObject([{ type: 'bridge', bridge: 'now0' }])
    expect(files.texts.get(`${dataDir}/one`)).toBe('{"name":')
    expect(logged.map(({ message }) => message)).toContainEqual(
      `${dataDir}/one is no configuration of a plugin; it is left alone`,
    )
  })

  it('collects what is not valid, whoever added it, also before the daemon is back', async () => {
    await runtime.gc(network(), [])
    await runtime.add(network(), one)
    await runtime.add(network(), { ...one, containerId: 'two' })
    asGo('three')
    files.texts.delete(subnetFile)
    await runtime.gc(network(), [one])
    expect([...files.texts.keys()]).toEqual([`${dataDir}/one`])
    expect((await store.list('delegates/')).entries.map(({ key }) => key)).toEqual([
      'delegates/node-1/one/eth0',
    ])
    expect(told().at(-1)).toBe('GC bridge')
  })

  it('has nothing to collect where nothing was attached and the daemon never ran', async () => {
    files.texts.clear()
    await runtime.gc(network(), [])
    expect(calls).toEqual([])
  })

  it('leaves neither record nor file of an ADD that failed', async () => {
    before = ({ command }) => {
      if (command === 'ADD') throw new Error('no')
    }
    await expect(runtime.add(network(), one)).rejects.toThrow('no')
    expect(told()).toEqual(['ADD bridge', 'DEL bridge'])
    expect([...files.texts.keys()]).toEqual([subnetFile])
    expect((await store.list('delegates/')).entries).toEqual([])
  })

  it('runs no controller: the daemon is one', () => {
    const plugin = flannelOn(files)({} as never)
    const config = plugin.parse({ cniVersion: '1.1.0', name: 'cbr0', type: 'flannel' })
    expect(plugin.controller?.(config)).toBeUndefined()
  })
})
