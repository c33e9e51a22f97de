import { compareOperations } from '@podfabric/kernel/testing'
import { linuxAvailable } from '@podfabric/kernel-linux'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { nftScenario } from './differential/nft-transactions.ts'
import { operationScenario } from './differential/scenarios.ts'
import { bothKernels, type Pair } from './differential/subjects.ts'

const availability = linuxAvailable()
/** A case costs some 30 ms on Linux; one that differs is looked at for longer, and made smaller. */
const RUNS = Number(process.env.FC_RUNS ?? 150)
const SEED = Number(process.env.FC_SEED ?? 2026)
const LIMIT = 60_000 + RUNS * 500

describe.skipIf(!availability.available)(
  `the simulated kernel does as Linux${availability.available ? '' : ` (skipped: ${availability.reason})`}`,
  () => {
    let pair: Pair | undefined
    afterAll(() => pair?.[Symbol.asyncDispose]())

    it(
      'with operations on links, addresses, routes, rules, neighbors, fdb and sysctls: outcomes, tables, route choice',
      async () => {
        pair ??= bothKernels()
        const { subjects } = pair
        await fc.assert(
          fc.asyncProperty(operationScenario, async (scenario) => {
            expect((await compareOperations(scenario, subjects)) ?? 'no difference').toBe('no difference')
          }),
          { numRuns: RUNS, seed: SEED },
        )
      },
      LIMIT,
    )

    it(
      'with transactions of nftables: outcomes, and what is there afterwards',
      async () => {
        pair ??= bothKernels()
        const { subjects } = pair
        await fc.assert(
          fc.asyncProperty(nftScenario, async (scenario) => {
            expect((await compareOperations(scenario, subjects, 0)) ?? 'no difference').toBe('no difference')
          }),
          { numRuns: RUNS, seed: SEED },
        )
      },
      LIMIT,
    )
  },
)
