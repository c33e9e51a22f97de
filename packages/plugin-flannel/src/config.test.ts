import { parsePluginConfig } from '@podfabric/cni'
import { pluginContract } from '@podfabric/cni/testing'
import { describe, expect, it } from 'vitest'
import { type NetworkConfig, parseFlannelConfig } from './config.ts'
import flannel, { flannelOn } from './index.ts'
import { keptFiles } from './kept-files.fixture.ts'

const source = (keys: object) =>
  parsePluginConfig(
    { cniVersion: '1.1.0', name: 'net', type: 'flannel', ...keys },
    { ipamType: 'host-local' },
  )
const parse = (keys: object) => parseFlannelConfig(source(keys)) as NetworkConfig
const parseOnNode = (keys: object) => parseFlannelConfig(source(keys), true)
const network = '10.244.0.0/16'

describe('the configuration of flannel', () => {
  it('needs the network alone; the rest is as Flannel has it', () => {
    expect(parse({ network })).toEqual({
      network,
      subnetLength: 24,
      backend: { type: 'vxlan', vni: 1, port: 8472, directRouting: false },
      interface: undefined,
      delegate: {},
    })
  })

  it('takes every key as it is written', () => {
    const backend = { type: 'vxlan', vni: 4096, port: 4789, directRouting: true }
    const delegate = { bridge: 'pods0', hairpinMode: false }
    const keys = { network, subnetLength: 25, backend, interface: 'eth1', delegate }
    expect(parse(keys)).toEqual(keys)
    expect(parse({ network, backend: { type: 'host-gw' } }).backend).toEqual({ type: 'host-gw' })
  })

  it.each([
    ['10.244.0.0/16', 24],
    ['10.244.0.0/22', 24],
    ['10.244.0.0/23', 25],
    ['10.244.0.0/28', 30],
    ['10.244.0.0/29', 30],
    ['fd00::/48', 64],
    ['fd00::/64', 66],
    ['fd00::/125', 126],
  ])('divides %s into subnets of length %i', (text, length) => {
    expect(parse({ network: text }).subnetLength).toBe(length)
  })

  it.each([
    [{}, 'network: it is missing'],
    [{ network: '10.244.0.0' }, 'network'],
    [{ network: '10.244.1.1/16' }, 'network'],
    [
      { network: '10.244.0.0/30' },
      'network: 10.244.0.0/30 is too small to be divided; expected a length below 30',
    ],
    [
      { network, subnetLength: 16 },
      'subnetLength: 16 is no length of a part of 10.244.0.0/16; expected 17 to 30',
    ],
    [
      { network, subnetLength: 31 },
      'subnetLength: 31 is no length of a part of 10.244.0.0/16; expected 17 to 30',
    ],
    [{ network, subnetLength: '24' }, 'subnetLength'],
    [{ network, backend: { type: 'udp' } }, 'backend.type'],
    [{ network, backend: 'vxlan' }, 'backend'],
    [{ network, backend: { type: 'vxlan', vni: 16_777_216 } }, 'backend.vni'],
    [{ network, backend: { type: 'vxlan', vni: 1.5 } }, 'backend.vni'],
    [{ network, backend: { type: 'vxlan', port: 0 } }, 'backend.port'],
    [{ network, backend: { type: 'vxlan', directRouting: 'yes' } }, 'backend.directRouting'],
    [{ network, backend: { type: 'vxlan', VNI: 1 } }, 'backend.VNI'],
    [{ network, backend: { type: 'host-gw', vni: 1 } }, 'backend.vni'],
    [{ network, interface: '' }, 'interface'],
    [{ network, delegate: 'bridge' }, 'delegate'],
    [{ network, delegate: { type: 'bridge' } }, 'delegate.type: it follows from the network'],
    [{ network, delegate: { ipam: {} } }, 'delegate.ipam: it follows from the network'],
  ])('refuses %j, naming the key', (keys, message) => {
    expect(() => parse(keys)).toThrow(
      expect.objectContaining({
        code: 'CNI_INVALID_NETWORK_CONFIG',
        message: expect.stringContaining(message),
      }),
    )
  })

  it.each([
    { Network: network },
    { SubnetLen: 25 },
    { SubnetMin: '10.244.9.0' },
    { Backend: { Type: 'vxlan' } },
    { EnableIPv6: true },
    { subnetFile: '/run/flannel/subnet.env' },
    { ipam: { type: 'host-local' } },
  ])('says that a key of Flannel’s own files has no meaning here: %j', (keys) => {
    const [key] = Object.keys(keys)
    expect(() => parse({ network, ...keys })).toThrow(
      expect.objectContaining({
        code: 'CNI_UNSUPPORTED_FIELD',
        message: expect.stringContaining(`${key}: `),
      }),
    )
  })
})

describe('the configuration of Flannel’s own plugin', () => {
  const defaults = {
    subnetFile: '/run/flannel/subnet.env',
    dataDir: '/var/lib/cni/flannel',
    type: 'bridge',
    delegate: {},
  }

  it('is one without network, on a node; nothing is required', () => {
    expect(parseOnNode({})).toEqual(defaults)
    expect(parseOnNode({ subnetFile: '', dataDir: '', delegate: null })).toEqual(defaults)
    expect(parseOnNode({ network })).toEqual(parse({ network }))
  })

  it('takes every key as it is written', () => {
    const delegate = { master: 'eth0', mtu: 1400 }
    const files = { subnetFile: '/a/subnet.env', dataDir: '/a/data' }
    expect(
      parseOnNode({ ...files, delegate: { type: 'ipvlan', ...delegate }, ipam: { routes: [] } }),
    ).toEqual({
      ...files,
      type: 'ipvlan',
      delegate,
    })
  })

  it.each([
    [{ subnetFile: 'subnet.env' }, 'subnetFile'],
    [{ dataDir: 5 }, 'dataDir'],
    [{ delegate: 'bridge' }, 'delegate'],
    [{ delegate: { type: 5 } }, 'delegate.type'],
    [{ delegate: { type: '../bridge' } }, 'delegate.type'],
    [{ delegate: { type: 'flannel' } }, 'delegate.type'],
    [{ delegate: { name: 'other' } }, 'delegate.name'],
    [{ delegate: { ipam: {} } }, 'delegate.ipam'],
    [{ ipam: { routes: {} } }, 'ipam.routes'],
    [{ ipam: { routes: ['0.0.0.0/0'] } }, 'ipam.routes[0]'],
  ])('refuses %j, naming the key', (keys, message) => {
    expect(() => parseOnNode(keys)).toThrow(
      expect.objectContaining({
        code: 'CNI_INVALID_NETWORK_CONFIG',
        message: expect.stringContaining(message),
      }),
    )
  })

  it.each([
    [{ subnetLength: 24 }, 'subnetLength'],
    [{ backend: { type: 'vxlan' } }, 'backend'],
    [{ interface: 'eth0' }, 'interface'],
    [{ network, subnetFile: '/run/flannel/subnet.env' }, 'subnetFile'],
    [{ network, dataDir: '/var/lib/cni/flannel' }, 'dataDir'],
    [{ network, ipam: { type: 'host-local' } }, 'ipam'],
    [{ Network: network }, 'Network'],
  ])('is not mixed with a network of our own: %j', (keys, key) => {
    expect(() => parseOnNode(keys)).toThrow(
      expect.objectContaining({
        code: 'CNI_UNSUPPORTED_FIELD',
        message: expect.stringContaining(`${key}: `),
      }),
    )
  })
})

describe('flannel is a plugin', () => {
  for (const { name, run } of pluginContract(flannel)) it(name, run)
  for (const { name, run } of pluginContract(flannelOn(keptFiles()))) it(`on a node, ${name}`, run)
})
