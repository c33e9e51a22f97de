import type { Json } from '@podfabric/cni'
import { pluginContract } from '@podfabric/cni/testing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import bridge, { parseBridgeConfig } from './index.ts'

const parse = (more: Record<string, Json>) =>
  parseBridgeConfig({ ...more, cniVersion: '1.1.0', name: 'net', type: 'bridge' })

describe('bridge as a plugin', () => {
  for (const { name, run } of pluginContract(bridge)) it(name, run)
})

describe('the configuration of bridge', () => {
  it('has defaults, and a default gateway is a gateway', () => {
    expect(parse({})).toMatchObject({ bridge: 'cni0', isGateway: false, ipMasq: false, ipam: undefined })
    expect(parse({ isDefaultGateway: true })).toMatchObject({ isGateway: true })
    expect(parse({ vlan: 0, macspoofchk: false, ipMasqBackend: 'nftables' })).toMatchObject({
      bridge: 'cni0',
    })
  })

  it.each<[Record<string, Json>, number, string]>([
    [{ bridge: 'a/b' }, 7, 'bridge: expected the name of a link'],
    [{ bridge: 'x'.repeat(16) }, 7, 'bridge: expected the name of a link'],
    [{ isGateway: 'yes' }, 7, 'isGateway: expected boolean, found "yes"'],
    [{ mtu: 67 }, 7, 'mtu: expected 0, or a number from 68'],
    [{ vlan: 100 }, 2, 'vlan: 100 is not supported'],
    [{ vlanTrunk: [{ id: 1 }] }, 2, 'vlanTrunk'],
    [{ promiscMode: true }, 2, 'promiscMode: true is not supported'],
    [{ forceAddress: true }, 2, 'forceAddress: true is not supported'],
    [{ macspoofchk: true }, 2, 'macspoofchk: true is not supported'],
    [{ enabledad: true }, 2, 'enabledad: true is not supported'],
    [{ disableContainerInterface: true, ipam: { type: 'x' } }, 7, 'disableContainerInterface'],
    [{ ipMasqBackend: 'iptables' }, 7, 'ipMasqBackend'],
    [{ runtimeConfig: { mac: 'x' } }, 7, 'runtimeConfig.mac: "x" is not a MAC address'],
  ])('refuses %j', (config, number, message) => {
    expect(() => parse(config)).toThrow(
      expect.objectContaining({ number, message: expect.stringContaining(message) }),
    )
  })

  it('is read or refused with a CNI error, whatever it holds', () => {
    const keys = fc.constantFrom(
      'bridge',
      'isGateway',
      'mtu',
      'dns',
      'vlan',
      'args',
      'runtimeConfig',
      'hairpinMode',
    )
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue()), (config) => {
        try {
          parse(config as Record<string, Json>)
        } catch (error) {
          expect(error).toMatchObject({ name: 'CniError' })
        }
      }),
    )
  })
})
