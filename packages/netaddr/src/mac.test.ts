import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  ip,
  isGroupMac,
  isMac,
  linkLocalFromMac,
  mac,
  macFromBytes,
  macFromNumber,
  macToBytes,
  macToNumber,
  multicastMac,
  parseIpv6,
  parseMac,
  randomMac,
  solicitedNode,
} from './index.ts'

const anyMac = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => macFromBytes(bytes))

describe('parseMac', () => {
  it('reads upper case and dashes', () => {
    expect(parseMac('AA:BB:CC:00:01:0f')).toBe('aa:bb:cc:00:01:0f')
    expect(parseMac('AA-BB-CC-00-01-0F')).toBe('aa:bb:cc:00:01:0f')
    expect(isMac('aa:bb:cc:00:01:0f')).toBe(true)
    expect(isMac('AA:bb:cc:00:01:0f')).toBe(false)
  })

  it.each([
    '',
    'aa:bb:cc:dd:ee',
    'aa:bb:cc:dd:ee:ff:00',
    'a:bb:cc:dd:ee:ff',
    'aa:bb-cc:dd:ee:ff',
    'aabb.ccdd.eeff',
    'gg:bb:cc:dd:ee:ff',
    ' aa:bb:cc:dd:ee:ff',
  ])('refuses %j', (text) => {
    expect(() => parseMac(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID', text }))
  })
})

describe('a MAC address', () => {
  it('survives octets and numbers', () => {
    fc.assert(
      fc.property(anyMac, (address) => {
        expect(parseMac(address)).toBe(address)
        expect(macFromBytes(macToBytes(address))).toBe(address)
        expect(macFromNumber(macToNumber(address))).toBe(address)
      }),
    )
    expect(macToNumber(mac('00:00:00:00:01:02'))).toBe(258)
    expect(() => macFromBytes(new Uint8Array(7), 2)).toThrow(RangeError)
  })

  it('is locally administered and unicast when random, and the same for the same numbers', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (value) => {
        const address = randomMac(() => value)
        expect((macToBytes(address)[0] ?? 0) & 3).toBe(2)
        expect(isGroupMac(address)).toBe(false)
        expect(randomMac(() => value)).toBe(address)
      }),
    )
  })

  it('gives the link-local address of RFC 4291 appendix A', () => {
    expect(linkLocalFromMac(mac('34:56:78:9a:bc:de'))).toBe('fe80::3656:78ff:fe9a:bcde')
    expect(linkLocalFromMac(mac('02:00:00:00:00:01'))).toBe('fe80::ff:fe00:1')
  })
})

describe('multicast', () => {
  it('maps groups to MAC addresses and addresses to solicited-node groups', () => {
    expect(multicastMac(ip('224.128.1.2'))).toBe('01:00:5e:00:01:02')
    expect(multicastMac(ip('ff02::1:ff00:2'))).toBe('33:33:ff:00:00:02')
    expect(solicitedNode(parseIpv6('fd00::12:3456'))).toBe('ff02::1:ff12:3456')
    expect(isGroupMac(mac('33:33:00:00:00:01'))).toBe(true)
  })
})
