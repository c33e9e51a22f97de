import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { anyIp, anyIpv4, anyIpv6, ipv6Bytes, u32 } from '../test/arbitrary.ts'
import {
  compareIp,
  familyOf,
  ip,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  ipv4FromNumber,
  ipv4ToNumber,
  ipv6FromWords,
  ipv6ToWords,
  isIp,
  isIpv4,
  isIpv6,
  isLimitedBroadcast,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  next,
  parseIp,
  parseIpv4,
  parseIpv6,
  previous,
} from './index.ts'

const invalid = (text: string) => expect.objectContaining({ code: 'ADDRESS_INVALID', text })

describe('parseIpv4', () => {
  it.each(['0.0.0.0', '255.255.255.255', '10.244.1.2', '1.10.100.0'])('gives %s as it is', (text) => {
    expect(parseIpv4(text)).toBe(text)
  })

  it.each([
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    '.1.2.3',
    '1..2.3',
    '256.0.0.1',
    '1.2.3.4567',
    '01.2.3.4',
    '1.2.3.00',
    '0x1.2.3.4',
    '+1.2.3.4',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4\n',
    '1.2.3.4/24',
    '１.2.3.4',
    '::1',
    'a.b.c.d',
  ])('refuses %j', (text) => {
    expect(() => parseIpv4(text)).toThrow(invalid(text))
    expect(isIpv4(text)).toBe(false)
  })

  it('says what was expected and why', () => {
    expect(() => parseIpv4('10.0.0.01')).toThrow(
      '"10.0.0.01" is not an IPv4 address like 10.0.0.1: write its numbers without leading zeros',
    )
  })

  it('reads exactly the dotted decimals that ipaddr.js reads', () => {
    const digits = fc.array(fc.constantFrom('0', '1', '9', '25', '256', '.', '.'), { maxLength: 9 })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          digits.map((parts) => parts.join('')),
          anyIpv4,
        ),
        (text) => {
          expect(isIpv4(text)).toBe(ipaddr.IPv4.isValidFourPartDecimal(text))
        },
      ),
      { numRuns: 1000 },
    )
  })
})

describe('parseIpv6', () => {
  it.each([
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['FD00:0000::00A1', 'fd00::a1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['::ffff:10.0.0.1', '::ffff:10.0.0.1'],
    ['::ffff:a00:1', '::ffff:10.0.0.1'],
    ['64:ff9b::10.0.0.1', '64:ff9b::a00:1'],
    ['1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:102:304'],
  ])('gives %s as %s', (text, canonical) => {
    expect(parseIpv6(text)).toBe(canonical)
    expect(isIpv6(text)).toBe(text === canonical)
  })

  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    ':1::2',
    '1::2:',
    '12345::',
    'g::',
    '::1%eth0',
    '::1/64',
    ' ::1',
    '::1 ',
    '1:2:3:4:5:6:7:1.2.3.4',
    '::1.2.3',
    '::1.2.3.04',
    '::1.2.3.4:5',
    '1:2:3:4::5:6:7:8',
    '[::1]',
    '10.0.0.1',
    '::-1',
  ])('refuses %j', (text) => {
    expect(() => parseIpv6(text)).toThrow(invalid(text))
    expect(isIpv6(text)).toBe(false)
  })

  it('tells what to do about a zone', () => {
    expect(() => parseIp('fe80::1%eth0')).toThrow('remove the zone id %eth0')
  })

  it('agrees with ipaddr.js on every address it can write', () => {
    fc.assert(
      fc.property(ipv6Bytes, (bytes) => {
        const reference = new ipaddr.IPv6([...bytes])
        const own = ipFromBytes(bytes)
        for (const text of [reference.toNormalizedString(), reference.toString()]) {
          expect(parseIpv6(text)).toBe(own)
          expect(parseIpv6(text.toUpperCase())).toBe(own)
        }
        if (!reference.isIPv4MappedAddress()) expect(own).toBe(reference.toRFC5952String())
        expect([...ipToBytes(own)]).toEqual([...bytes])
      }),
    )
  })

  it('refuses what ipaddr.js refuses', () => {
    const parts = fc.array(fc.constantFrom(':', '::', '0', '1', 'ffff', '12345', '1.2.3.4', 'g'), {
      maxLength: 17,
    })
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          parts.map((list) => list.join('')),
        ),
        (text) => {
          const accepted = accepts(() => parseIpv6(text))
          if (accepted) expect(ipaddr.IPv6.isValid(text)).toBe(true)
          // ipaddr.js also reads zones, octal parts and a few malformed texts, which ours must not.
          if (!accepted && ipaddr.IPv6.isValid(text)) expect(() => new URL(`http://[${text}]/`)).toThrow()
        },
      ),
      { numRuns: 2000 },
    )
  })
})

function accepts(parse: () => unknown): boolean {
  try {
    parse()
    return true
  } catch {
    return false
  }
}

describe('an address', () => {
  it('survives octets, words and integers', () => {
    fc.assert(
      fc.property(anyIp, (address) => {
        expect(parseIp(address)).toBe(address)
        expect(isIp(address)).toBe(true)
        expect(ipFromBytes(ipToBytes(address))).toBe(address)
        expect(ipFromBigInt(ipToBigInt(address), familyOf(address))).toBe(address)
      }),
    )
    fc.assert(
      fc.property(anyIpv6, (address) => {
        const words = new Uint32Array(5)
        ipv6ToWords(address, words, 1)
        expect(ipv6FromWords(words, 1)).toBe(address)
      }),
    )
    fc.assert(
      fc.property(u32, (value) => {
        expect(ipv4ToNumber(ipv4FromNumber(value))).toBe(value)
      }),
    )
    expect(ipv4FromNumber(-1)).toBe('255.255.255.255')
  })

  it('is read from and written to any place in a buffer', () => {
    const buffer = new Uint8Array(24).fill(7)
    ipToBytes(ip('fd00::1'), buffer, 4)
    expect(ipFromBytes(buffer, 4, 6)).toBe('fd00::1')
    expect([buffer[3], buffer[20]]).toEqual([7, 7])
    expect(() => ipFromBytes(buffer, 21, 4)).toThrow(RangeError)
    expect(() => ipFromBigInt(2n ** 32n, 4)).toThrow(RangeError)
    expect(() => ipFromBigInt(-1n, 6)).toThrow(RangeError)
  })

  it('is ordered by family, then by number', () => {
    fc.assert(
      fc.property(anyIp, anyIp, (a, b) => {
        const expected =
          familyOf(a) - familyOf(b) ||
          (ipToBigInt(a) < ipToBigInt(b) ? -1 : Number(ipToBigInt(a) > ipToBigInt(b)))
        expect(Math.sign(compareIp(a, b))).toBe(Math.sign(expected))
      }),
    )
  })

  it('has neighbors, but for the first and last of its family', () => {
    fc.assert(
      fc.property(anyIp, (address) => {
        const after = next(address)
        const before = previous(address)
        if (after !== undefined) expect(ipToBigInt(after)).toBe(ipToBigInt(address) + 1n)
        if (before !== undefined) expect(next(before)).toBe(address)
      }),
    )
    expect(next(ip('255.255.255.255'))).toBeUndefined()
    expect(previous(ip('0.0.0.0'))).toBeUndefined()
    expect(next(ip('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'))).toBeUndefined()
    expect(previous(ip('::'))).toBeUndefined()
    expect(next(ip('fd00::ffff:ffff:ffff'))).toBe('fd00::1:0:0:0')
    expect(previous(ip('fd00::1:0:0:0'))).toBe('fd00::ffff:ffff:ffff')
  })

  it('has a scope', () => {
    const range = (address: string): string => ipaddr.parse(address).range()
    fc.assert(
      fc.property(anyIp, (address) => {
        if (isMulticast(address)) expect(range(address)).toBe('multicast')
        expect(isLoopback(address)).toBe(range(address) === 'loopback')
        expect(isLinkLocal(address)).toBe(range(address) === 'linkLocal')
      }),
    )
    expect([ip('224.0.0.1'), ip('239.255.255.255'), ip('ff02::1')].every(isMulticast)).toBe(true)
    expect([ip('223.255.255.255'), ip('240.0.0.0'), ip('fe80::1')].some(isMulticast)).toBe(false)
    expect([ip('169.254.0.1'), ip('fe80::1'), ip('febf::1')].every(isLinkLocal)).toBe(true)
    expect([ip('fec0::1'), ip('169.253.0.1')].some(isLinkLocal)).toBe(false)
    expect([ip('0.0.0.0'), ip('::')].every(isUnspecified)).toBe(true)
    expect([ip('127.9.9.9'), ip('::1')].every(isLoopback)).toBe(true)
    expect(isLimitedBroadcast(ip('255.255.255.255'))).toBe(true)
  })
})
