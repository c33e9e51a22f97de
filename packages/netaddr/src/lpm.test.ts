import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anyIp, anyPrefix, ipv6Bytes, nearPrefix, u32 } from '../test/arbitrary.ts'
import {
  contains,
  type Ip,
  Ipv4Lpm,
  Ipv6Lpm,
  ip,
  ipFromBytes,
  ipv4FromNumber,
  ipv4ToNumber,
  ipv6ToWords,
  lastAddress,
  NO_ROUTE,
  networkAddress,
  type Prefix,
  PrefixMap,
  parseIpv4,
  parseIpv6,
  prefix,
  prefixFrom,
  prefixLength,
} from './index.ts'

/** What all of them must agree with. */
class LinearTable {
  readonly entries = new Map<Prefix, number>()
  lookup(address: Ip): number {
    let best = NO_ROUTE
    let length = -1
    for (const [network, value] of this.entries) {
      if (!contains(network, address) || prefixLength(network) <= length) continue
      best = value
      length = prefixLength(network)
    }
    return best
  }
}

interface Change {
  readonly network: Prefix
  readonly value: number
  readonly remove: boolean
}

function changes(network: fc.Arbitrary<Prefix>, maxLength: number): fc.Arbitrary<Change[]> {
  return fc.array(fc.record({ network, value: fc.nat({ max: 100 }), remove: fc.boolean() }), { maxLength })
}

/** Lengths on all three strides, with networks that nest and touch. */
const ipv4Network = fc
  .tuple(
    fc.constantFrom(0x0a00_0000, 0x0a00_ff00, 0x0a01_0080, 0xc0a8_0101, 0xffff_ffff),
    fc.nat({ max: 0x1ff }),
    fc.nat({ max: 32 }),
  )
  .map(([base, low, length]) => prefixFrom(ipv4FromNumber(base + low), length))

const ipv6Network = fc
  .tuple(ipv6Bytes, fc.constantFrom(0, 3, 32, 48, 64, 65, 96, 127, 128))
  .map(([bytes, length]) => prefixFrom(ipFromBytes(bytes), length))

const words = new Uint32Array(4)

function apply4(table: Ipv4Lpm, model: LinearTable, { network, value, remove }: Change): void {
  const number = ipv4ToNumber(parseIpv4(networkAddress(network)))
  const length = prefixLength(network)
  if (remove) {
    expect(table.delete(number, length)).toBe(model.entries.delete(network))
    return
  }
  table.set(number, length, value)
  model.entries.set(network, value)
}

describe('Ipv4Lpm', () => {
  // One table stays a list, the other has long been expanded by networks elsewhere.
  it.each([0, 40])('answers as a linear search does, with %i other prefixes', (others) => {
    fc.assert(
      fc.property(changes(ipv4Network, 40), fc.array(u32, { maxLength: 10 }), (list, addresses) => {
        const table = new Ipv4Lpm()
        const model = new LinearTable()
        for (let i = 0; i < others; i++) {
          const network = prefixFrom(ipv4FromNumber(0x6400_0000 + i * 0x1234), 20 + (i % 13))
          apply4(table, model, { network, value: i, remove: false })
        }
        for (const change of list) {
          apply4(table, model, change)
          const { network } = change
          for (const address of [networkAddress(network), lastAddress(network)]) {
            const number = ipv4ToNumber(parseIpv4(address))
            for (const near of [number - 1, number, number + 1]) {
              expect(table.lookup(near)).toBe(model.lookup(ipv4FromNumber(near)))
            }
          }
        }
        for (const address of addresses)
          expect(table.lookup(address)).toBe(model.lookup(ipv4FromNumber(address)))
        expect(table.size).toBe(model.entries.size)
        for (const [network, value] of model.entries) {
          expect(table.get(ipv4ToNumber(parseIpv4(networkAddress(network))), prefixLength(network))).toBe(
            value,
          )
        }
      }),
      { numRuns: 150 },
    )
  })

  it('is empty again after everything was deleted', () => {
    const table = new Ipv4Lpm()
    const networks = Array.from({ length: 600 }, (_, i) => [(i * 0x0123_4567) >>> 0, i % 33] as const)
    for (const [network, length] of networks) table.set(network, length, 1)
    for (const [network, length] of networks) table.delete(network, length)
    expect(table.size).toBe(0)
    for (const [network] of networks) expect(table.lookup(network)).toBe(NO_ROUTE)
  })

  it('takes signed and unsigned numbers, and refuses what it cannot store', () => {
    const table = new Ipv4Lpm()
    table.set(0xc0a8_0000, 16, 5)
    expect(table.lookup(0xc0a8_0101 | 0)).toBe(5)
    expect(table.lookup(0xc0a8_0101)).toBe(5)
    for (const value of [-1, 0.5, 2 ** 31]) expect(() => table.set(0, 0, value)).toThrow(RangeError)
    for (const length of [-1, 33, 1.5]) expect(() => table.set(0, length, 0)).toThrow(RangeError)
  })
})

describe('Ipv6Lpm', () => {
  it('answers as a linear search does', () => {
    fc.assert(
      fc.property(changes(ipv6Network, 60), fc.array(ipv6Bytes, { maxLength: 5 }), (list, addresses) => {
        const table = new Ipv6Lpm()
        const model = new LinearTable()
        for (const { network, value, remove } of list) {
          ipv6ToWords(parseIpv6(networkAddress(network)), words)
          if (remove) {
            expect(table.delete(words, prefixLength(network))).toBe(model.entries.delete(network))
          } else {
            table.set(words, prefixLength(network), value)
            model.entries.set(network, value)
          }
        }
        const asked = [
          ...list.flatMap(({ network }) => [networkAddress(network), lastAddress(network)]),
          ...addresses.map((b) => ipFromBytes(b)),
        ]
        for (const address of asked) {
          ipv6ToWords(parseIpv6(address), words)
          expect(table.lookupWords(words)).toBe(model.lookup(address))
        }
        expect(table.size).toBe(model.entries.size)
        for (const [network, value] of model.entries) {
          ipv6ToWords(parseIpv6(networkAddress(network)), words)
          expect(table.get(words, prefixLength(network))).toBe(value)
        }
      }),
    )
  })

  it('keeps its entries through growth and deletion of many', () => {
    const table = new Ipv6Lpm()
    const count = 5000
    for (let i = 0; i < count; i++) table.set(Uint32Array.of(0xfd00_0000, i, 0, 0), 64, i)
    for (let i = 0; i < count; i += 2)
      expect(table.delete(Uint32Array.of(0xfd00_0000, i, 0, 0), 64)).toBe(true)
    for (let i = 0; i < count; i++)
      expect(table.lookup(0xfd00_0000, i, 7, 9)).toBe(i % 2 === 0 ? NO_ROUTE : i)
  })
})

describe('PrefixMap', () => {
  it('answers as a linear search does, for both families', () => {
    fc.assert(
      fc.property(
        changes(fc.oneof(nearPrefix, anyPrefix), 30),
        fc.array(anyIp, { maxLength: 5 }),
        (list, addresses) => {
          const table = new PrefixMap<number>()
          const model = new LinearTable()
          for (const { network, value, remove } of list) {
            if (remove) expect(table.delete(network)).toBe(model.entries.delete(network))
            else {
              table.set(network, value)
              model.entries.set(network, value)
            }
          }
          const asked = [
            ...list.flatMap(({ network }) => [networkAddress(network), lastAddress(network)]),
            ...addresses,
          ]
          for (const address of asked) expect(table.lookup(address) ?? NO_ROUTE).toBe(model.lookup(address))
          expect(table.size).toBe(model.entries.size)
          expect([...table].length).toBe(table.size)
        },
      ),
    )
  })

  it('lists every match, longest first, and keeps undefined apart from absent', () => {
    const table = new PrefixMap([
      [prefix('0.0.0.0/0'), 'default'],
      [prefix('10.0.0.0/8'), undefined],
      [prefix('10.1.0.0/16'), 'sixteen'],
    ])
    expect([...table.matches(ip('10.1.2.3'))]).toEqual([
      { prefix: '10.1.0.0/16', value: 'sixteen' },
      { prefix: '10.0.0.0/8', value: undefined },
      { prefix: '0.0.0.0/0', value: 'default' },
    ])
    expect(table.match(ip('10.2.0.0'))).toEqual({ prefix: '10.0.0.0/8', value: undefined })
    expect(table.has(prefix('10.0.0.0/8'))).toBe(true)
    expect(table.match(ip('fd00::1'))).toBeUndefined()
  })
})
