import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { elementTable } from './element-table.ts'

const word = fc.nat(12)
const change = fc.record({ adds: fc.boolean(), a: word, b: word, size: fc.nat(4), value: fc.nat(9) })

describe.each([
  ['keys', false],
  ['prefixes and ranges', true],
] as const)('a table of concatenated %s', (_, intervals) => {
  it('finds what a list of its elements has, after any additions and deletions', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const table = elementTable<number>([1, 1], intervals)
        const model: { a: number; b: number; last: number; value: number }[] = []
        for (const { a, adds, b, size, value } of changes) {
          const last = intervals ? b + size : b
          const interval = { first: Uint32Array.of(a, b), last: Uint32Array.of(a, last) }
          const place = table.placeOf(interval)
          const index = model.findIndex((one) => one.a === a && one.b === b && one.last === last)
          expect(typeof place === 'number' && place >= 0).toBe(index >= 0)
          if (adds && place === -1) {
            table.add(interval, value)
            model.push({ a, b, last, value })
          } else if (!adds && typeof place === 'number' && place >= 0) {
            table.deleteAt(place)
            model.splice(index, 1)
          }
        }
        expect(table.size).toBe(model.length)
        for (let a = 0; a <= 12; a++) {
          for (let b = 0; b <= 17; b++) {
            const found = table.find(Uint32Array.of(a, b))
            const expected = model.find((one) => one.a === a && one.b <= b && b <= one.last)
            expect(found < 0 ? undefined : table.valueAt(found)).toBe(expected?.value)
          }
        }
        const listed = table.entries().map(({ interval }) => [...interval.first, ...interval.last])
        const order = (x: number[], y: number[]) => x.map((n, i) => n - (y[i] ?? 0)).find((d) => d !== 0) ?? 0
        expect(listed).toEqual(listed.toSorted(order))
      }),
      { numRuns: 300 },
    )
  })
})
