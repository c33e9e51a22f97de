import { run } from '@podfabric/agent/exec'
import { cniVersions } from '@podfabric/cni'

// What an installed plugin executable runs when no agent answers, and for VERSION. The executable's name is its argument.
const [, , type = ''] = process.argv

await run({
  type,
  versions: cniVersions,
  plugins: async () => (await import('./node/node-plugins.ts')).nodePlugins,
})
