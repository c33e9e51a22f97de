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
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
