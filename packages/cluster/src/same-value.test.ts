import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sameValue } from './same-value.ts'

describe('sameValue', () => {
  it('holds a value equal to its copy, whatever the order of its keys', () => {
    const shuffled = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(shuffled)
      if (typeof value !== 'object' || value === null) return value
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, inner]) => [key, shuffled(inner)]),
      )
    }
    fc.assert(fc.property(fc.jsonValue(), (value) => sameValue(value, shuffled(value))))
  })

  it('tells apart what JSON tells apart', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b) && !containsZeroOrMixed(a, b))
        expect(sameValue(a, b)).toBe(false)
      }),
    )
  })

  it.each([
    [{ a: undefined }, {}, true],
    [{ a: undefined, b: 1 }, { b: 1 }, true],
    [{ a: undefined }, { b: undefined }, true],
    [{ a: 1 }, { b: 1 }, false],
    [{ a: 1 }, { a: 1, b: null }, false],
    [[], {}, false],
    [[1, 2], [2, 1], false],
    [null, {}, false],
    ['1', 1, false],
    [{ toString: 1 }, {}, false],
  ])('%j and %j: %j', (a, b, expected) => {
    expect(sameValue(a, b)).toBe(expected)
    expect(sameValue(b, a)).toBe(expected)
  })
})

/** JSON writes -0 as 0, and keys in their order: both are another matter. */
function containsZeroOrMixed(a: unknown, b: unknown): boolean {
  const flat = (value: unknown): string => JSON.stringify(value).split('').sort().join('')
  return flat(a) === flat(b)
}
