#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import { cniVersions } from '@podfabric/cni'

await run({
  type: 'loopback',
  versions: cniVersions,
  plugins: async () => ({ loopback: (await import('@podfabric/plugin-loopback')).default }),
})
