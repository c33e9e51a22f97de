import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MacTable } from './mac-table.ts'

const address = fc.record({
  high: fc.constantFrom(0, 2, 0xffff, 0x0200),
  low: fc.oneof(fc.integer({ min: -8, max: 8 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
})
const step = fc.record({ address, value: fc.integer({ min: 0, max: 2 ** 31 - 1 }), remove: fc.boolean() })

describe('MacTable', () => {
  it('holds what a Map holds, whatever was added and deleted', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new MacTable()
        const model = new Map<string, number>()
        for (const { address, value, remove } of steps) {
          const key = `${address.high} ${address.low}`
          if (remove) expect(table.delete(address.high, address.low)).toBe(model.delete(key))
          else {
            table.set(address.high, address.low, value)
            model.set(key, value)
          }
          expect(table.size).toBe(model.size)
        }
        for (const { address } of steps) {
          expect(table.get(address.high, address.low)).toBe(model.get(`${address.high} ${address.low}`) ?? -1)
        }
      }),
    )
  })
})
