#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import { cniVersions } from '@podfabric/cni'

await run({
  type: 'flannel',
  versions: cniVersions,
  plugins: async () => ({ flannel: (await import('@podfabric/plugin-flannel')).default }),
})
