import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { anyIp, anyPrefix, nearPrefix } from '../test/arbitrary.ts'
import {
  addressAt,
  addressOf,
  bigIndexOf,
  broadcastAddress,
  contains,
  covers,
  familyOf,
  ifAddress,
  ifAddressFrom,
  indexOf,
  ip,
  ipToBigInt,
  isIfAddress,
  isPrefix,
  lastAddress,
  networkAddress,
  overlaps,
  parseIfAddress,
  parsePrefix,
  prefix,
  prefixFamily,
  prefixFrom,
  prefixLength,
  prefixOf,
  prefixSize,
  rangeContains,
  rangeFrom,
  rangeOf,
  rangeSize,
  rangesOverlap,
} from './index.ts'

describe('parsePrefix', () => {
  it('gives the canonical form', () => {
    expect(parsePrefix('10.244.1.0/24')).toBe('10.244.1.0/24')
    expect(parsePrefix('FD00:0::/64')).toBe('fd00::/64')
    expect(parsePrefix('0.0.0.0/0')).toBe('0.0.0.0/0')
    expect(parsePrefix('::1/128')).toBe('::1/128')
  })

  it('refuses host bits and says the network', () => {
    expect(() => parsePrefix('10.0.0.5/24')).toThrow('it has host bits set; the network is 10.0.0.0/24')
    expect(() => parsePrefix('fd00::1/64')).toThrow('the network is fd00::/64')
  })

  it.each([
    '',
    '/',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/024',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0.0/ 8',
    '10.0.0/8',
    'fd00::/129',
    'fe80::%eth0/64',
    '10.0.0.0/1e1',
    '/8',
  ])('refuses %j', (text) => {
    expect(() => parsePrefix(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID', text }))
    expect(() => parseIfAddress(text)).toThrow(expect.objectContaining({ code: 'ADDRESS_INVALID', text }))
    expect(isPrefix(text)).toBe(false)
    expect(isIfAddress(text)).toBe(false)
  })

  it('survives its own text, and throws nothing but AddressError', () => {
    fc.assert(
      fc.property(anyPrefix, (found) => {
        expect(parsePrefix(found)).toBe(found)
      }),
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.tuple(anyIp, fc.string()).map(([a, b]) => `${a}/${b}`),
        ),
        (text) => {
          expect(typeof isPrefix(text)).toBe('boolean')
        },
      ),
    )
  })
})

describe('an interface address', () => {
  it('keeps its host bits and knows its network', () => {
    expect(parseIfAddress('10.244.1.2/24')).toBe('10.244.1.2/24')
    expect(addressOf(ifAddress('10.244.1.2/24'))).toBe('10.244.1.2')
    expect(prefixOf(ifAddress('10.244.1.2/24'))).toBe('10.244.1.0/24')
    expect(prefixOf(ifAddress('fd00::1:2/112'))).toBe('fd00::1:0/112')
    expect(ifAddressFrom(ip('10.0.0.1'))).toBe('10.0.0.1/32')
    expect(ifAddressFrom(ip('fd00::1'), 64)).toBe('fd00::1/64')
    expect(() => ifAddressFrom(ip('10.0.0.1'), 33)).toThrow(RangeError)
    expect(isIfAddress('10.244.1.2/24')).toBe(true)
    expect(isPrefix('10.244.1.2/24')).toBe(false)
  })
})

describe('a network', () => {
  it('contains what ipaddr.js says it contains', () => {
    fc.assert(
      fc.property(anyPrefix, anyIp, (network, address) => {
        const same = prefixFamily(network) === familyOf(address)
        const reference = same && ipaddr.parse(address).match(ipaddr.parseCIDR(network))
        expect(contains(network, address)).toBe(reference)
        expect(contains(network, networkAddress(network))).toBe(true)
        expect(contains(network, lastAddress(network))).toBe(true)
      }),
    )
  })

  it('overlaps another when their ranges do', () => {
    fc.assert(
      fc.property(nearPrefix, nearPrefix, (a, b) => {
        expect(overlaps(a, b)).toBe(rangesOverlap(rangeOf(a), rangeOf(b)))
        const inside =
          rangeContains(rangeOf(a), networkAddress(b)) && rangeContains(rangeOf(a), lastAddress(b))
        expect(covers(a, b)).toBe(inside)
      }),
    )
  })

  it('never matches across families', () => {
    expect(contains(prefix('0.0.0.0/0'), ip('::1'))).toBe(false)
    expect(contains(prefix('::/0'), ip('10.0.0.1'))).toBe(false)
    expect(overlaps(prefix('0.0.0.0/0'), prefix('::/0'))).toBe(false)
  })

  it('numbers its addresses', () => {
    fc.assert(
      fc.property(anyPrefix, fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), (network, random) => {
        const index = random % BigInt(prefixSize(network))
        const address = addressAt(network, index)
        expect(ipToBigInt(address)).toBe(ipToBigInt(networkAddress(network)) + index)
        expect(bigIndexOf(network, address)).toBe(index)
        if (index >= 2n ** 53n) {
          expect(() => indexOf(network, address)).toThrow('use bigIndexOf')
        } else {
          expect(indexOf(network, address)).toBe(Number(index))
          expect(addressAt(network, Number(index))).toBe(address)
        }
      }),
    )
    expect(indexOf(prefix('10.0.0.0/24'), ip('10.0.1.0'))).toBe(-1)
    expect(bigIndexOf(prefix('10.0.0.0/24'), ip('fd00::'))).toBe(-1n)
    for (const index of [256, -1, 0.5, 2n ** 64n])
      expect(() => addressAt(prefix('10.0.0.0/24'), index)).toThrow(RangeError)
    expect(addressAt(prefix('fd00::/64'), 2 ** 40)).toBe('fd00::100:0:0')
  })

  it('has a size, a last address and, in IPv4, a broadcast address', () => {
    fc.assert(
      fc.property(anyPrefix, (network) => {
        expect(BigInt(prefixSize(network))).toBe(rangeSize(rangeOf(network)))
        expect(prefixFrom(lastAddress(network), prefixLength(network))).toBe(network)
      }),
    )
    expect(broadcastAddress(prefix('10.0.0.0/24'))).toBe('10.0.0.255')
    expect(broadcastAddress(prefix('10.0.0.0/31'))).toBeUndefined()
    expect(broadcastAddress(prefix('fd00::/64'))).toBeUndefined()
  })
})

describe('a range', () => {
  it('includes both ends and refuses nonsense', () => {
    const range = rangeFrom(ip('10.0.0.9'), ip('10.0.0.10'))
    expect(
      [ip('10.0.0.8'), ip('10.0.0.9'), ip('10.0.0.10'), ip('10.0.0.11'), ip('::')].map((a) =>
        rangeContains(range, a),
      ),
    ).toEqual([false, true, true, false, false])
    expect(rangeSize(range)).toBe(2n)
    expect(() => rangeFrom(ip('10.0.0.2'), ip('10.0.0.1'))).toThrow('swap them')
    expect(() => rangeFrom(ip('10.0.0.2'), ip('::1'))).toThrow('different families')
  })
})
