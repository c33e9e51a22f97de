import { mac } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPeerData, type PeerData, parsePeerData } from './peer-data.ts'

describe('what a node tells its peers', () => {
  it('is written as Flannel writes it', () => {
    expect(formatPeerData({ backend: 'vxlan', vni: 1, vtepMac: mac('02:00:00:00:00:01') })).toEqual({
      BackendType: 'vxlan',
      BackendData: { VNI: 1, VtepMAC: '02:00:00:00:00:01' },
    })
    expect(formatPeerData({ backend: 'host-gw' })).toEqual({ BackendType: 'host-gw' })
  })

  it('is read back as it was, through JSON', () => {
    const vxlan = fc.record({
      backend: fc.constant('vxlan' as const),
      vni: fc.integer({ min: 0, max: 0xff_ffff }),
      vtepMac: fc
        .uint8Array({ minLength: 6, maxLength: 6 })
        .map((octets) => mac([...octets].map((each) => each.toString(16).padStart(2, '0')).join(':'))),
    })
    const any: fc.Arbitrary<PeerData> = fc.oneof(vxlan, fc.constant({ backend: 'host-gw' } as const))
    fc.assert(
      fc.property(any, (data) => {
        expect(parsePeerData(JSON.parse(JSON.stringify(formatPeerData(data))))).toEqual(data)
      }),
    )
  })

  it('is nothing where a record says something else, whatever it says', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('BackendType', 'BackendData'), fc.jsonValue()), (record) => {
        expect(parsePeerData(record)).toBeUndefined()
      }),
    )
    for (const record of [
      { BackendType: 'wireguard', BackendData: { PublicKey: 'x' } },
      { BackendType: 'vxlan' },
      { BackendType: 'vxlan', BackendData: { VNI: 1 } },
      { BackendType: 'vxlan', BackendData: { VNI: '1', VtepMAC: '02:00:00:00:00:01' } },
      { BackendType: 'vxlan', BackendData: { VNI: 1, VtepMAC: 'no' } },
    ]) {
      expect(parsePeerData(record)).toBeUndefined()
    }
  })
})
