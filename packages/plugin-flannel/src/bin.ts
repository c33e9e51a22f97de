#!/usr/bin/env node
import { run } from '@podfabric/agent/exec'
import { cniVersions, type PluginFactory } from '@podfabric/cni'

await run({
  type: 'flannel',
  versions: cniVersions,
  plugins: async () => {
    const [{ flannelOn }, { nodeFiles }] = await Promise.all([
      import('@podfabric/plugin-flannel'),
      import('@podfabric/agent/takeover'),
    ])
    return { flannel: flannelOn(nodeFiles()) as PluginFactory }
  },
})
