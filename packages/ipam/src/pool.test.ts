import { type Ip, ip, prefix } from '@podfabric/netaddr'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Pool, type PoolRange, resolvePools } from './pool.ts'

function addresses(...ranges: PoolRange[]): Ip[] {
  const [pool] = resolvePools([{ name: 'p', ranges }])
  if (pool === undefined) throw new Error('no pool')
  return Array.from({ length: pool.space.positions }, (_, position) => pool.space.addressAt(position))
}

function refusal(...pools: (Omit<Pool, 'name'> & { name?: string })[]): unknown {
  try {
    resolvePools(pools.map((pool, index) => ({ name: `p${index}`, ...pool })))
    return undefined
  } catch (error) {
    return error
  }
}

describe('a pool', () => {
  test('of a subnet gives all but the network, the gateway and the broadcast address', () => {
    expect(addresses({ subnet: prefix('10.1.2.0/29') })).toEqual([
      '10.1.2.2',
      '10.1.2.3',
      '10.1.2.4',
      '10.1.2.5',
      '10.1.2.6',
    ])
    expect(addresses({ subnet: prefix('10.1.2.0/30') })).toEqual(['10.1.2.2'])
    expect(addresses({ subnet: prefix('fd00::/126') })).toEqual(['fd00::2', 'fd00::3'])
  })

  test('gives what would be the gateway when there is none or it is elsewhere', () => {
    const subnet = prefix('10.1.2.0/30')
    expect(addresses({ subnet, gateway: 'none' })).toEqual(['10.1.2.1', '10.1.2.2'])
    expect(addresses({ subnet, gateway: ip('10.1.2.2') })).toEqual(['10.1.2.1'])
  })

  test('gives every address of the smallest subnets', () => {
    expect(addresses({ subnet: prefix('10.0.0.4/31') })).toEqual(['10.0.0.4', '10.0.0.5'])
    expect(addresses({ subnet: prefix('10.0.0.4/31'), gateway: ip('10.0.0.4') })).toEqual(['10.0.0.5'])
    expect(addresses({ subnet: prefix('10.0.0.4/32') })).toEqual(['10.0.0.4'])
    expect(addresses({ subnet: prefix('fd00::/127') })).toEqual(['fd00::', 'fd00::1'])
    expect(addresses({ subnet: prefix('fd00::7/128') })).toEqual(['fd00::7'])
  })

  test('keeps to its range, both ends included, and to the order of its ranges', () => {
    expect(
      addresses(
        { subnet: prefix('10.1.9.0/24'), rangeStart: ip('10.1.9.254'), rangeEnd: ip('10.1.9.255') },
        { subnet: prefix('10.1.2.0/24'), rangeStart: ip('10.1.2.0'), rangeEnd: ip('10.1.2.3') },
      ),
    ).toEqual(['10.1.9.254', '10.1.2.2', '10.1.2.3'])
  })

  test('leaves out what is excluded: addresses, prefixes and ranges', () => {
    expect(
      addresses({
        subnet: prefix('10.1.2.0/27'),
        exclude: [prefix('10.1.2.8/29'), ip('10.1.2.3'), { first: ip('10.1.2.17'), last: ip('10.1.2.29') }],
      }),
    ).toEqual(['10.1.2.2', '10.1.2.4', '10.1.2.5', '10.1.2.6', '10.1.2.7', '10.1.2.16', '10.1.2.30'])
  })

  test('may have two ranges of one subnet', () => {
    const subnet = prefix('10.1.2.0/24')
    expect(
      addresses(
        { subnet, rangeStart: ip('10.1.2.10'), rangeEnd: ip('10.1.2.11') },
        { subnet, rangeStart: ip('10.1.2.20'), rangeEnd: ip('10.1.2.20') },
      ),
    ).toEqual(['10.1.2.10', '10.1.2.11', '10.1.2.20'])
  })

  test('of a /64 numbers as many addresses as it can and knows the others', () => {
    const [pool] = resolvePools([{ name: 'p', ranges: [{ subnet: prefix('fd00::/64') }] }])
    expect(pool?.space.size).toBe(2n ** 64n - 2n)
    expect(pool?.space.positions).toBe(2 ** 30)
    expect(pool?.space.addressAt(0)).toBe('fd00::2')
    expect(pool?.space.positionOf(ip('fd00::1:2'))).toBe(0x10000)
    expect(pool?.space.has(ip('fd00::ffff:ffff:ffff:ffff'))).toBe(true)
    expect(pool?.space.positionOf(ip('fd00::ffff:ffff:ffff:ffff'))).toBe(-1)
    expect(pool?.space.has(ip('fd00:0:0:1::'))).toBe(false)
  })

  test('numbers its addresses without a gap: number and address determine each other', () => {
    const bits = fc.integer({ min: 20, max: 30 })
    const offsets = fc.array(fc.nat(5000), { maxLength: 6 })
    fc.assert(
      fc.property(fc.constantFrom('10.64.0.0', 'fd00::'), bits, offsets, (base, length, excluded) => {
        const subnet = prefix(base.includes(':') ? `${base}/${length + 96}` : `${base}/${length}`)
        const size = 2 ** (32 - length)
        const exclude = excluded
          .map((offset) => offset % size)
          .map((offset) =>
            ip(base.includes(':') ? `fd00::${offset.toString(16)}` : `10.64.${offset >> 8}.${offset & 255}`),
          )
        fc.pre(new Set(exclude).size < size - 3)
        const [pool] = resolvePools([{ name: 'p', ranges: [{ subnet, exclude }] }])
        const space = pool?.space
        if (space === undefined) throw new Error('no pool')
        const seen = new Set<Ip>()
        for (let position = 0; position < space.positions; position++) {
          const address = space.addressAt(position)
          seen.add(address)
          expect(space.positionOf(address)).toBe(position)
        }
        expect(seen.size).toBe(space.positions)
        for (const address of exclude) {
          expect(seen.has(address)).toBe(false)
          expect(space.has(address)).toBe(false)
        }
      }),
      { numRuns: 20 },
    )
  })
})

describe('a pool is refused', () => {
  const subnet = prefix('10.1.2.0/24')
  const other = prefix('10.1.3.0/24')

  test.each([
    ['without a range', [{ ranges: [] }], /pool p0: it has no range/],
    ['whose name cannot be one', [{ name: '../x', ranges: [{ subnet }] }], /its name must be a letter/],
    [
      'whose name is used',
      [
        { name: 'a', ranges: [{ subnet }] },
        { name: 'a', ranges: [{ subnet: other }] },
      ],
      /used twice/,
    ],
    [
      'of two families',
      [{ ranges: [{ subnet }, { subnet: prefix('fd00::/64') }] }],
      /fd00::\/64 is not IPv4/,
    ],
    [
      'whose gateway is elsewhere',
      [{ ranges: [{ subnet, gateway: ip('10.1.3.1') }] }],
      /gateway 10.1.3.1 is not in/,
    ],
    [
      'whose range begins elsewhere',
      [{ ranges: [{ subnet, rangeStart: ip('10.1.1.9') }] }],
      /rangeStart 10.1.1.9/,
    ],
    ['whose range ends elsewhere', [{ ranges: [{ subnet, rangeEnd: ip('fd00::1') }] }], /rangeEnd fd00::1/],
    [
      'whose range is backwards',
      [{ ranges: [{ subnet, rangeStart: ip('10.1.2.9'), rangeEnd: ip('10.1.2.8') }] }],
      /10.1.2.9 comes after rangeEnd 10.1.2.8/,
    ],
    [
      'that excludes something else',
      [{ ranges: [{ subnet, exclude: [prefix('10.1.2.0/23')] }] }],
      /excluded/,
    ],
    [
      'that reserves all it has',
      [{ ranges: [{ subnet, rangeStart: ip('10.1.2.1'), rangeEnd: ip('10.1.2.1') }] }],
      /no address left to give/,
    ],
    ['that excludes all it has', [{ ranges: [{ subnet, exclude: [subnet] }] }], /no address left to give/],
    ['that overlaps itself', [{ ranges: [{ subnet }, { subnet }] }], /overlaps its own range/],
    [
      'that overlaps another',
      [{ ranges: [{ subnet }] }, { ranges: [{ subnet: prefix('10.1.0.0/16') }] }],
      /pool p1: 10.1.0.0-10.1.255.255 overlaps a range of pool p0 10.1.2.0-10.1.2.255/,
    ],
  ] as const)('%s', (_, pools, message) => {
    expect(refusal(...pools)).toMatchObject({
      code: 'IPAM_INVALID_POOL',
      message: expect.stringMatching(message),
    })
  })

  test('when there is none, or there are too many', () => {
    expect(refusal()).toMatchObject({ code: 'IPAM_INVALID_POOL' })
    const many = Array.from({ length: 33 }, (_, i) => ({ ranges: [{ subnet: prefix(`10.0.${i}.0/24`) }] }))
    expect(refusal(...many)).toMatchObject({ message: '33 pools: at most 32' })
  })
})
