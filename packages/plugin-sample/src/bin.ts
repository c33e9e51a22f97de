#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import { cniVersions } from '@podfabric/cni'

await run({
  type: 'sample',
  versions: cniVersions,
  plugins: async () => ({ sample: (await import('@podfabric/plugin-sample')).default }),
})
