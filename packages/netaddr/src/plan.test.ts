import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyIp, nearPrefix } from '../test/arbitrary.ts'
import {
  addressAt,
  compareIp,
  contains,
  familyOf,
  type Ip,
  ip,
  lastAddress,
  networkAddress,
  type Prefix,
  prefix,
  prefixLength,
  prefixSize,
  rangeContains,
  rangeFrom,
} from './index.ts'
import {
  comparePrefix,
  findOverlaps,
  freeBlock,
  mergePrefixes,
  prefixesOfRange,
  splitPrefix,
  subtractPrefixes,
} from './plan.ts'

/** Every address that the near prefixes can have. */
const universe: Ip[] = [prefix('10.0.0.0/24'), prefix('fd00::/120')].flatMap((network) =>
  Array.from({ length: 256 }, (_, i) => addressAt(network, i)),
)
const within = (prefixes: readonly Prefix[], address: Ip): boolean =>
  prefixes.some((p) => contains(p, address))

describe('splitPrefix', () => {
  it('cuts a network into equal blocks, in order', () => {
    expect(splitPrefix(prefix('10.244.0.0/22'), 24)).toEqual([
      '10.244.0.0/24',
      '10.244.1.0/24',
      '10.244.2.0/24',
      '10.244.3.0/24',
    ])
    expect(splitPrefix(prefix('fd00::/63'), 64)).toEqual(['fd00::/64', 'fd00:0:0:1::/64'])
    expect(splitPrefix(prefix('10.0.0.1/32'), 32)).toEqual(['10.0.0.1/32'])
    expect(splitPrefix(prefix('255.255.255.254/31'), 32)).toEqual([
      '255.255.255.254/32',
      '255.255.255.255/32',
    ])
    expect(splitPrefix(prefix('0.0.0.0/0'), 1)).toEqual(['0.0.0.0/1', '128.0.0.0/1'])
  })

  it('refuses larger blocks, and more of them than anybody wants', () => {
    expect(() => splitPrefix(prefix('10.0.0.0/24'), 23)).toThrow('choose /24 to /32')
    expect(() => splitPrefix(prefix('10.0.0.0/24'), 33)).toThrow(RangeError)
    expect(() => splitPrefix(prefix('fd00::/48'), 65)).toThrow('more than 65536')
  })
})

describe('subtractPrefixes', () => {
  it('leaves exactly the other addresses, in the fewest prefixes', () => {
    fc.assert(
      fc.property(nearPrefix, fc.array(nearPrefix, { maxLength: 6 }), (from, taken) => {
        const left = subtractPrefixes(from, taken)
        for (const address of universe) {
          expect(within(left, address)).toBe(contains(from, address) && !within(taken, address))
        }
        expect(mergePrefixes(left)).toEqual(left)
      }),
      { numRuns: 60 },
    )
  })
})

describe('mergePrefixes', () => {
  it('keeps exactly the same addresses, in the fewest prefixes', () => {
    fc.assert(
      fc.property(fc.array(nearPrefix, { maxLength: 12 }), (prefixes) => {
        const merged = mergePrefixes(prefixes)
        for (const address of universe) expect(within(merged, address)).toBe(within(prefixes, address))
        for (const network of merged) {
          expect(prefixesOfRange(rangeFrom(networkAddress(network), lastAddress(network)))).toEqual([network])
        }
        const total = merged.reduce((sum, network) => sum + prefixSize(network), 0)
        expect(total).toBe(universe.filter((address) => within(prefixes, address)).length)
        expect([...merged].sort(comparePrefix)).toEqual(merged)
      }),
      { numRuns: 60 },
    )
    expect(mergePrefixes([prefix('128.0.0.0/1'), prefix('0.0.0.0/1'), prefix('::/0')])).toEqual([
      '0.0.0.0/0',
      '::/0',
    ])
  })
})

describe('freeBlock', () => {
  it('finds the lowest block that is free', () => {
    const pool = prefix('10.244.0.0/16')
    expect(freeBlock(pool, [], 24)).toBe('10.244.0.0/24')
    expect(freeBlock(pool, [prefix('10.244.0.0/24'), prefix('10.244.1.128/25')], 24)).toBe('10.244.2.0/24')
    expect(freeBlock(pool, [prefix('10.0.0.0/8')], 24)).toBeUndefined()
    expect(freeBlock(prefix('fd00::/48'), [prefix('fd00::1/128')], 64)).toBe('fd00:0:0:1::/64')
    expect(() => freeBlock(pool, [], 8)).toThrow('larger than its pool')
  })
})

describe('findOverlaps', () => {
  it('names every pair that shares addresses, and what they share', () => {
    const plan = [
      { name: 'pods', prefix: prefix('10.244.0.0/16') },
      { name: 'services', prefix: prefix('10.96.0.0/12') },
      { name: 'lan', prefix: prefix('10.0.0.0/8') },
      { name: 'pods6', prefix: prefix('fd00::/48') },
    ]
    expect(findOverlaps(plan).map(({ first, second, shared }) => [first.name, second.name, shared])).toEqual([
      ['pods', 'lan', '10.244.0.0/16'],
      ['services', 'lan', '10.96.0.0/12'],
    ])
    expect(
      findOverlaps([
        { name: 'a', prefix: prefix('0.0.0.0/0') },
        { name: 'b', prefix: prefix('::/0') },
      ]),
    ).toEqual([])
  })
})

describe('prefixesOfRange', () => {
  it('makes up the range and nothing else', () => {
    fc.assert(
      fc.property(fc.constantFrom(...universe), fc.constantFrom(...universe), (a, b) => {
        if (familyOf(a) !== familyOf(b)) return
        const range = universe.indexOf(a) <= universe.indexOf(b) ? rangeFrom(a, b) : rangeFrom(b, a)
        const prefixes = prefixesOfRange(range)
        for (const address of universe) expect(within(prefixes, address)).toBe(rangeContains(range, address))
        expect(mergePrefixes(prefixes)).toEqual(prefixes)
      }),
      { numRuns: 60 },
    )
    expect(prefixesOfRange(rangeFrom(ip('0.0.0.0'), ip('255.255.255.255')))).toEqual(['0.0.0.0/0'])
  })

  it('needs no more prefixes than twice the bits', () => {
    fc.assert(
      fc.property(anyIp, anyIp, (a, b) => {
        if (familyOf(a) !== familyOf(b)) return
        const [first, last] = [a, b].sort(compareIp)
        if (first === undefined || last === undefined) return
        const prefixes = prefixesOfRange(rangeFrom(first, last))
        expect(prefixes.length).toBeLessThanOrEqual(256)
        expect(prefixes.every((p) => prefixLength(p) >= 0)).toBe(true)
      }),
    )
  })
})
