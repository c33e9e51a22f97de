import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type NetworkList, type PluginFactory, parseNetworkList } from '@podfabric/cni'
import { pluginHost } from '@podfabric/cni/skel'
import bridge from '@podfabric/plugin-bridge'
import flannel from '@podfabric/plugin-flannel'
import hostLocal from '@podfabric/plugin-host-local'
import loopback from '@podfabric/plugin-loopback'
import sample from '@podfabric/plugin-sample'
import { Failure } from './failure.ts'

/** The plugins that come with Podfabric, by their types. */
export const shippedPlugins: Readonly<Record<string, PluginFactory>> = {
  bridge: bridge as PluginFactory,
  flannel: flannel as PluginFactory,
  'host-local': hostLocal as PluginFactory,
  loopback: loopback as PluginFactory,
  sample: sample as PluginFactory,
}

/** A pod network: what pods join, and the plugins that its list may name. */
export interface PodNetworkChoice {
  readonly network: NetworkList
  readonly plugins: Readonly<Record<string, PluginFactory>>
}

export interface PluginOptions {
  /** A shipped plugin's type, a package, or a file that exports a plugin. Default `flannel`. */
  readonly plugin?: string | undefined
  /** File with a network list. Default: the plugin's own example. */
  readonly network?: string | undefined
  /** What packages and files are relative to. */
  readonly folder: string
}

/** Loads what was asked for; anything wrong names the file or package and what was expected. */
export async function choosePlugins({ plugin, network, folder }: PluginOptions): Promise<PodNetworkChoice> {
  const own =
    plugin === undefined || Object.hasOwn(shippedPlugins, plugin) ? {} : await loadPlugin(plugin, folder)
  const plugins = { ...shippedPlugins, ...own }
  if (network !== undefined) return { plugins, network: await readNetwork(resolve(folder, network), plugins) }
  const type = Object.keys(own)[0] ?? plugin ?? 'flannel'
  const factory = plugins[type]
  if (!factory) throw new Failure('usage', `there is no plugin ${type}`)
  return { plugins, network: exampleNetwork(factory) }
}

/** A network list of one plugin: its example. */
export function exampleNetwork(factory: PluginFactory): NetworkList {
  const { name, cniVersion, ...keys } = inspect(factory).example
  return parseNetworkList(JSON.stringify({ cniVersion, name, plugins: [keys] }), {
    what: 'the plugin’s example',
  })
}

/** Asks a plugin about itself, without a kernel. */
function inspect(factory: PluginFactory) {
  return pluginHost(factory, () => {
    throw new TypeError('this host only shows what the plugin says of itself')
  })
}

async function readNetwork(file: string, plugins: PodNetworkChoice['plugins']): Promise<NetworkList> {
  const text = await readFile(file, 'utf8').catch((cause) => {
    throw new Failure('usage', `${file}: cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  })
  const network = parseNetworkList(text, { what: file })
  for (const { type } of network.plugins) {
    if (Object.hasOwn(plugins, type)) continue
    throw new Failure(
      'usage',
      `${file}: there is no plugin ${type}; there are ${Object.keys(plugins).sort().join(', ')}`,
    )
  }
  return network
}

/** Found as a module of the folder would find it. Its default export is a plugin factory. */
async function loadPlugin(name: string, folder: string): Promise<Readonly<Record<string, PluginFactory>>> {
  const imported: unknown = await importFrom(name, folder)
  const factory =
    typeof imported === 'object' && imported !== null && 'default' in imported ? imported.default : undefined
  if (typeof factory !== 'function') {
    throw new Failure(
      'usage',
      `plugin ${name}: its default export is not a plugin factory, a function of a context`,
    )
  }
  try {
    const { type } = inspect(factory as PluginFactory)
    return { [type]: factory as PluginFactory }
  } catch (cause) {
    throw new Failure('usage', `plugin ${name}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

async function importFrom(name: string, folder: string): Promise<unknown> {
  try {
    const require = createRequire(join(folder, 'package.json'))
    const file = /^[./]/.test(name) ? join(folder, name) : require.resolve(name)
    return await import(pathToFileURL(file).href)
  } catch (cause) {
    const known = Object.keys(shippedPlugins).join(', ')
    const why = cause instanceof Error ? cause.message.split('\n')[0] : cause
    throw new Failure('usage', `plugin ${name}: cannot be loaded: ${why}; shipped plugins are ${known}`, {
      cause,
    })
  }
}
