import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Ipv4Prefixes, NO_MATCH } from './ipv4-prefixes.ts'

const network = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  // Close together, so that prefixes contain each other.
  fc.integer({ min: 0, max: 0x3ff }).map((n) => 0x0a00_0000 | (n << 6)),
)
const length = fc.integer({ min: 0, max: 32 })
const step = fc.record({
  verb: fc.constantFrom('set' as const, 'set' as const, 'set' as const, 'delete' as const),
  network,
  length,
  value: fc.integer({ min: 0, max: 1000 }),
})

const masked = (address: number, bits: number): number => (bits === 0 ? 0 : address & (-1 << (32 - bits)))

describe('Ipv4Prefixes', () => {
  it('finds what a search through all prefixes finds, whatever was added and deleted', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 120 }),
        fc.array(network, { maxLength: 20 }),
        (steps, probes) => {
          const table = new Ipv4Prefixes()
          const model = new Map<string, { network: number; length: number; value: number }>()
          for (const { verb, network, length, value } of steps) {
            const key = `${masked(network, length)}/${length}`
            if (verb === 'set') {
              table.set(network, length, value)
              model.set(key, { network: masked(network, length), length, value })
            } else {
              table.delete(network, length)
              model.delete(key)
            }
            expect(table.get(network, length)).toBe(model.get(key)?.value ?? NO_MATCH)
          }
          for (const address of [...probes, ...steps.map(({ network }) => network)]) {
            const containing = [...model.values()].filter(
              (row) => masked(address, row.length) === row.network,
            )
            const best = containing.sort((a, b) => b.length - a.length)[0]
            expect(table.lookup(address)).toBe(best?.value ?? NO_MATCH)
          }
        },
      ),
    )
  })
})
