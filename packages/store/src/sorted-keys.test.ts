import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SortedKeys } from './sorted-keys.ts'

test('sorted keys walk as a sorted set does, from anywhere, whatever was added and removed', () => {
  const step = fc.record({
    add: fc.boolean(),
    key: fc.string({ unit: fc.constantFrom('a', 'b', '/', '-'), maxLength: 4 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.string({ maxLength: 3 }), (steps, start) => {
      const keys = new SortedKeys()
      const model = new Set<string>()
      for (const { add, key } of steps) {
        if (add) {
          keys.add(key)
          model.add(key)
        } else {
          keys.delete(key)
          model.delete(key)
        }
      }
      const expected = [...model].filter((key) => key >= start).sort((a, b) => (a < b ? -1 : 1))
      expect([...keys.from(start)]).toEqual(expected)
    }),
  )
})

test('sorted keys stay sorted over many chunks, filled and emptied in any order', () => {
  const keys = new SortedKeys()
  const name = (index: number) => String((index * 7919) % 10_007).padStart(5, '0')
  for (let index = 0; index < 10_007; index++) keys.add(name(index))
  expect([...keys.from('')]).toHaveLength(10_007)
  expect([...keys.from('05000')][0]).toBe('05000')
  for (let index = 0; index < 10_007; index += 2) keys.delete(name(index))
  const left = [...keys.from('')]
  expect(left).toHaveLength(5003)
  expect(left).toEqual([...left].sort())
  for (const key of left) keys.delete(key)
  expect([...keys.from('')]).toEqual([])
})
