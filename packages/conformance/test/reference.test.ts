import { expect, it } from 'vitest'
import { referenceConfig, referencePlugin, smallReferenceConfig } from '../src/fixtures/reference-plugin.ts'
import { formatTable, verdictOf } from '../src/index.ts'
import { linuxWorld } from '../src/node/index.ts'
import { run } from '../src/run.ts'

it('ref', { timeout: 60_000 }, async () => {
  const report = await run(
    {
      kind: 'factory',
      factory: referencePlugin,
      config: referenceConfig,
      small: { config: smallReferenceConfig, addresses: 5 },
    },
    { world: linuxWorld },
  )
  expect(verdictOf(report).ok).toBe(true)
})
