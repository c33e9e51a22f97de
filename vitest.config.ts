import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// One run for the whole repository, straight from the sources: the private condition makes a build unnecessary.
const conditions = ['@podfabric/source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['{packages,apps}/*/{src,test}/**/*.test.ts'],
    environment: 'node',
    setupFiles: ['./vitest.setup.ts'],
    // Many tests wait for the kernel: two files at a time, also where the runner would take one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
