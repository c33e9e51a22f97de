import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FreeMap, maxFreeMapSize } from './free-map.ts'

describe('a free map', () => {
  test('agrees with a plain array, whatever is taken and released', () => {
    const sizes = fc.constantFrom(0, 1, 31, 32, 33, 1023, 1024, 1025, 32_767, 32_768, 32_769, 70_000)
    const steps = fc.array(fc.record({ take: fc.boolean(), from: fc.nat(70_000), count: fc.nat(3000) }), {
      maxLength: 30,
    })
    fc.assert(
      fc.property(sizes, steps, fc.array(fc.nat(71_000), { maxLength: 20 }), (size, all, starts) => {
        const map = new FreeMap(size)
        const model = new Array<boolean>(size).fill(false)
        for (const { take, from, count } of all) {
          for (let i = from; i < Math.min(size, from + count); i++) {
            expect(take ? map.take(i) : map.release(i)).toBe(model[i] !== take)
            model[i] = take
          }
        }
        expect(map.taken).toBe(model.filter(Boolean).length)
        for (const start of [0, size - 1, size, ...starts].filter((from) => from >= 0)) {
          const later = start < size ? model.indexOf(false, start) : -1
          expect(map.nextFree(start)).toBe(later < 0 ? model.indexOf(false) : later)
          if (start < size) expect(map.isTaken(start)).toBe(model[start])
        }
      }),
      { numRuns: 60 },
    )
  })

  test('gives out every position once, and then none', () => {
    for (const size of [1, 254, 32_768, 65_534]) {
      const map = new FreeMap(size)
      let cursor = Math.floor(size / 2)
      for (let count = 0; count < size; count++) {
        cursor = map.nextFree(cursor)
        expect(map.take(cursor)).toBe(true)
      }
      expect(map.nextFree(0)).toBe(-1)
      expect(map.nextFree(size - 1)).toBe(-1)
      expect(map.release(size - 1)).toBe(true)
      expect(map.nextFree(0)).toBe(size - 1)
    }
  })

  test('of the largest size costs memory only where something is taken', () => {
    const map = new FreeMap(maxFreeMapSize)
    expect(map.nextFree(maxFreeMapSize - 1)).toBe(maxFreeMapSize - 1)
    expect(map.take(maxFreeMapSize - 1)).toBe(true)
    expect(map.nextFree(maxFreeMapSize - 1)).toBe(0)
    expect(map.take(123_456_789)).toBe(true)
    expect(map.nextFree(123_456_789)).toBe(123_456_790)
  })

  test('refuses positions and sizes that it cannot have', () => {
    expect(() => new FreeMap(-1)).toThrow(RangeError)
    expect(() => new FreeMap(maxFreeMapSize + 1)).toThrow(RangeError)
    const map = new FreeMap(8)
    for (const position of [-1, 8, Number.NaN]) expect(() => map.take(position)).toThrow(RangeError)
  })
})
