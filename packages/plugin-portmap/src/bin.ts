#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import { cniVersions } from '@podfabric/cni'

await run({
  type: 'portmap',
  versions: cniVersions,
  plugins: async () => ({ portmap: (await import('@podfabric/plugin-portmap')).default }),
})
