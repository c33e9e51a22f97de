#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import { cniVersions } from '@podfabric/cni'

await run({
  type: 'host-local',
  versions: cniVersions,
  plugins: async () => ({ 'host-local': (await import('@podfabric/plugin-host-local')).default }),
})
