import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CniError } from '../error.ts'
import { parseLibcniAttachment } from './libcni-cache.ts'

/** As libcni 1.1 of Debian's podman writes it, but for the list's octets. */
const written = {
  kind: 'cniCacheV1',
  containerId: 'c1',
  config: 'e30=',
  ifName: 'eth0',
  networkName: 'pods',
  cniArgs: [['IgnoreUnknown', '1']],
  capabilityArgs: {},
  result: {
    cniVersion: '1.0.0',
    interfaces: [
      { name: 'cni0', mac: '02:00:00:00:00:01' },
      { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/c1' },
    ],
    ips: [{ interface: 1, address: '10.88.0.2/16', gateway: '10.88.0.1' }],
    routes: [{ dst: '0.0.0.0/0' }],
  },
}

describe('a file of libcni', () => {
  it('tells attachment, namespace and result', () => {
    const read = parseLibcniAttachment(JSON.stringify(written))
    expect(read).toMatchObject({ network: 'pods', containerId: 'c1', ifName: 'eth0', netns: '/run/netns/c1' })
    expect(read.result?.ips).toMatchObject([{ address: '10.88.0.2/16' }])
    const newer = parseLibcniAttachment(JSON.stringify({ ...written, netns: '/run/netns/other' }))
    expect(newer.netns).toBe('/run/netns/other')
  })

  it('reads results of older versions, and says what is wrong with one that makes no sense', () => {
    const old = { cniVersion: '0.3.1', interfaces: [], ips: [{ version: '4', address: '10.1.0.2/24' }] }
    expect(parseLibcniAttachment(JSON.stringify({ ...written, result: old })).result?.ips).toHaveLength(1)
    const { result, damage, containerId } = parseLibcniAttachment(JSON.stringify({ ...written, result: [] }))
    expect({ result, code: damage?.code, containerId }).toEqual({
      result: undefined,
      code: 'CNI_DECODING_FAILURE',
      containerId: 'c1',
    })
    expect(parseLibcniAttachment(JSON.stringify({ ...written, result: undefined }))).not.toHaveProperty(
      'result',
    )
  })

  it('that is none, or half of one, is refused and nothing else happens', () => {
    for (const text of ['', '{}', JSON.stringify({ ...written, kind: 'other' })]) {
      expect(() => parseLibcniAttachment(text)).toThrow(CniError)
    }
    const whole = JSON.stringify(written)
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        expect(() => parseLibcniAttachment(whole.slice(0, length))).toThrow(CniError)
      }),
    )
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          parseLibcniAttachment(JSON.stringify({ ...written, result: value }))
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
        }
      }),
    )
  })
})
