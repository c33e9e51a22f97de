import { nodeFiles } from '@podfabric/agent/takeover'
import type { PluginFactory } from '@podfabric/cni'
import { flannelOn } from '@podfabric/plugin-flannel'
import { hostLocalOn } from '@podfabric/plugin-host-local'
import { shippedPlugins } from '../plugins.ts'

const { sample: _forAuthors, ...forOperators } = shippedPlugins

/**
 * The shipped plugins as they run on this machine, but for the one that plugin authors begin with: `host-local` and
 * `flannel` honour the files of the containernetworking ones, which no node of a simulation has.
 */
export const nodePlugins: Readonly<Record<string, PluginFactory>> = {
  ...forOperators,
  flannel: flannelOn(nodeFiles()) as PluginFactory,
  'host-local': hostLocalOn(nodeFiles()) as PluginFactory,
}
