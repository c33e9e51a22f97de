import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Interval, IntervalTable, mergedIntervals } from './interval-table.ts'

const words = (value: number, width: 1 | 4): Uint32Array =>
  width === 1 ? Uint32Array.of(value) : Uint32Array.of(0, value >>> 4, (value & 15) << 28, 7)
const interval = (first: number, last: number, width: 1 | 4): Interval => ({
  first: words(first, width),
  last: words(last, width),
})
const has = (table: IntervalTable, value: number): boolean =>
  table.width === 1 ? table.has(value) : table.hasWords(words(value, 4), 0)

const span = fc
  .tuple(fc.nat(300), fc.nat(12))
  .map(([first, size]) => ({ first, last: Math.min(first + size, 300) }))

describe.each([1, 4] as const)('numbers of %i words', (width) => {
  it('are in the table as in a plain set, after any additions and deletions', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), span)), (changes) => {
        const table = new IntervalTable(width)
        const model = new Map<string, { first: number; last: number }>()
        for (const [adds, { first, last }] of changes) {
          const key = `${first}-${last}`
          const range = interval(first, last, width)
          if (!adds) {
            expect(table.delete(range)).toBe(model.delete(key))
            continue
          }
          const overlaps = [...model.values()].some((other) => first <= other.last && other.first <= last)
          const expected = model.has(key) ? 'same' : overlaps ? 'overlapping' : 'new'
          expect(table.relation(range)).toBe(expected)
          if (expected !== 'new') continue
          table.add(range)
          model.set(key, { first, last })
        }
        expect(table.size).toBe(model.size)
        for (let value = 0; value <= 300; value++) {
          const expected = [...model.values()].some(({ first, last }) => first <= value && value <= last)
          expect(has(table, value)).toBe(expected)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('are in merged intervals if in any of them', () => {
    fc.assert(
      fc.property(fc.array(span), (spans) => {
        const table = mergedIntervals(
          width,
          spans.map(({ first, last }) => interval(first, last, width)),
        )
        for (let value = 0; value <= 300; value++) {
          expect(has(table, value)).toBe(spans.some(({ first, last }) => first <= value && value <= last))
        }
      }),
      { numRuns: 60 },
    )
  })
})
