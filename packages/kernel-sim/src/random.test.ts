import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from './random.ts'

describe('seededRandom', () => {
  it('gives the same numbers in [0, 1) for the same seed', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const a = seededRandom(seed)
        const b = seededRandom(seed)
        for (let i = 0; i < 50; i++) {
          const number = a()
          expect(number).toBe(b())
          expect(number).toBeGreaterThanOrEqual(0)
          expect(number).toBeLessThan(1)
        }
      }),
    )
  })

  it('spreads evenly, and differently for seeds that are neighbors', () => {
    const buckets = new Array<number>(10).fill(0)
    const random = seededRandom(1)
    for (let i = 0; i < 10_000; i++) {
      const bucket = Math.floor(random() * 10)
      buckets[bucket] = (buckets[bucket] ?? 0) + 1
    }
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150)
    expect(seededRandom(1)()).not.toBe(seededRandom(2)())
  })
})
