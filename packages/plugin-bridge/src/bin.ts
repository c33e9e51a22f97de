#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import { cniVersions } from '@podfabric/cni'

await run({
  type: 'bridge',
  versions: cniVersions,
  plugins: async () => ({ bridge: (await import('@podfabric/plugin-bridge')).default }),
})
