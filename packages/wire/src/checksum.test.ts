import { parseIpv4, parseIpv6 } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { u16, u32 } from '../test/arbitrary.ts'
import {
  foldChecksum,
  internetChecksum,
  loopSum,
  pseudoHeaderSum,
  sumWords,
  updateChecksum,
  updateChecksum32,
} from './checksum.ts'
import { fromHex } from './dissection-json.ts'
import { setU16At, setU32At } from './peek.ts'
import { simdSum } from './simd-sum.ts'

/** RFC 1071 section 1, word by word. */
function definition(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
    if (sum > 0xffff) sum -= 0xffff
  }
  return ~sum & 0xffff
}

describe('internetChecksum', () => {
  it('gives the sum of the example in RFC 1071 section 3', () => {
    expect(internetChecksum(fromHex('0001 f203 f4f5 f6f7'))).toBe(~0xddf2 & 0xffff)
  })

  it('agrees with the definition, at any place in a buffer and for any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 20 }), (bytes, at) => {
        const buffer = new Uint8Array(bytes.length + 40).fill(0xee)
        buffer.set(bytes, at)
        expect(internetChecksum(buffer, at, at + bytes.length)).toBe(definition(bytes))
      }),
    )
  })

  it('agrees with the definition for long runs, by SIMD and by the loop', () => {
    const lengths = fc.oneof(
      fc.integer({ min: 128, max: 3000 }),
      fc.constantFrom(65_535, 65_536, 65_537, 131_075),
    )
    fc.assert(
      fc.property(lengths, fc.nat({ max: 3 }), fc.nat(), (length, at, seed) => {
        const bytes = Uint8Array.from(
          { length: length + at },
          (_, i) => Math.imul(i + seed, 0x9e37_79b1) >>> 24,
        )
        const expected = definition(bytes.subarray(at))
        expect(internetChecksum(bytes, at)).toBe(expected)
        expect(foldChecksum(loopSum(bytes, at, bytes.length))).toBe(expected)
        expect(foldChecksum(simdSum(bytes, at, bytes.length) ?? Number.NaN)).toBe(expected)
      }),
      { numRuns: 50 },
    )
  })

  it('stays exact for the longest packets of all ones', () => {
    const longest = new Uint8Array(65_535).fill(0xff)
    expect(internetChecksum(longest)).toBe(definition(longest))
  })

  it('can be summed in pieces of even length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat({ max: 50 }), (bytes, half) => {
        const cut = Math.min(bytes.length, 2 * half)
        const sum = sumWords(bytes, cut, bytes.length, sumWords(bytes, 0, cut))
        expect(foldChecksum(sum)).toBe(definition(bytes))
      }),
    )
  })
})

describe('pseudoHeaderSum', () => {
  it('is the sum over the octets of RFC 9293 and RFC 8200', () => {
    const v4 = { source: parseIpv4('10.0.0.1'), destination: parseIpv4('10.0.0.2') }
    expect(foldChecksum(pseudoHeaderSum(v4, 6, 20))).toBe(definition(fromHex('0a000001 0a000002 0006 0014')))
    const v6 = { source: parseIpv6('fd00::1'), destination: parseIpv6('fd00::2') }
    const octets = `fd00${'0'.repeat(27)}1fd00${'0'.repeat(27)}2${'00010002'}0000003a`
    expect(foldChecksum(pseudoHeaderSum(v6, 58, 0x10002))).toBe(definition(fromHex(octets)))
  })
})

describe('updateChecksum', () => {
  // Both are right sums over the changed octets, so they can differ only as 0 and 0xffff do.
  const alike = (a: number, b: number): boolean => a % 0xffff === b % 0xffff

  it('gives the same as computing anew after a 16-bit word changed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 20, maxLength: 20 }),
        fc.nat({ max: 9 }),
        u16,
        (bytes, word, value) => {
          const before = ((bytes[2 * word] ?? 0) << 8) | (bytes[2 * word + 1] ?? 0)
          const old = internetChecksum(bytes)
          setU16At(bytes, 2 * word, value)
          expect(alike(updateChecksum(old, before, value), internetChecksum(bytes))).toBe(true)
        },
      ),
    )
  })

  it('gives the same as computing anew after a 32-bit word changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), u32, (bytes, value) => {
        const old = internetChecksum(bytes)
        const before = new DataView(bytes.buffer, bytes.byteOffset).getUint32(8)
        setU32At(bytes, 8, value)
        expect(alike(updateChecksum32(old, before, value), internetChecksum(bytes))).toBe(true)
      }),
    )
  })

  it('passes the corner case of RFC 1624 section 4', () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000)
  })
})
