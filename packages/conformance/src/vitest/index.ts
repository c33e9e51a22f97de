import { describe, it } from 'vitest'
import { cases } from '../cases/index.ts'
import { type Discovery, discover } from '../discover.ts'
import { simulatedWorld } from '../harness/simulated-world.ts'
import { formatFailure } from '../report/text.ts'
import { chooseCases, type RunOptions, runCase } from '../run.ts'
import type { Subject } from '../subject.ts'

export type { Subject } from '../subject.ts'

/**
 * The suite inside vitest: one test for each case, named `del.idempotent [MUST] …`. What does not apply is skipped, and says why.
 * A failed SHOULD or MAY fails its test too.
 */
export function testPlugin(subject: Subject, options: Omit<RunOptions, 'onResult'> = {}): void {
  const { seed = 1, world = simulatedWorld } = options
  const chosen = chooseCases(options.suite ?? cases, options.only)
  describe(`${subject.name ?? 'the plugin'} is a conformant CNI plugin`, () => {
    let discovery: Promise<Discovery> | undefined
    const discovered = () => {
      discovery ??= discover(subject, world, seed)
      return discovery
    }
    for (const each of chosen) {
      it(`${each.id} [${each.level}] ${each.title}`, { timeout: 60_000 }, async (context) => {
        const result = await runCase(subject, each, await discovered(), { ...options, seed, world })
        if (result.status === 'not applicable') context.skip(result.reason)
        if (result.failure !== undefined) throw new Error(formatFailure(result))
      })
    }
    it('something of the suite applies to it', async () => {
      const { features } = await discovered()
      const applies = chosen.some(({ requires = [] }) =>
        requires.every((feature) => features[feature] === true),
      )
      if (!applies) throw new Error('no case applies, so nothing is proven')
    })
  })
}
