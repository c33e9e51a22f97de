import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire, findPackageJSON } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type NetworkList, type PluginFactory, parseNetworkList } from '@podfabric/cni'
import { pluginHost } from '@podfabric/cni/skel'
import bridge from '@podfabric/plugin-bridge'
import flannel from '@podfabric/plugin-flannel'
import hostLocal from '@podfabric/plugin-host-local'
import loopback from '@podfabric/plugin-loopback'
import portmap from '@podfabric/plugin-portmap'
import sample from '@podfabric/plugin-sample'
import { explain, Failure } from './failure.ts'

/** The plugins that come with Podfabric, by their types. */
export const shippedPlugins: Readonly<Record<string, PluginFactory>> = {
  bridge: bridge as PluginFactory,
  flannel: flannel as PluginFactory,
  'host-local': hostLocal as PluginFactory,
  loopback: loopback as PluginFactory,
  portmap: portmap as PluginFactory,
  sample: sample as PluginFactory,
}

/** A pod network: what pods join, and the plugins that its list may name. */
export interface PodNetworkChoice {
  readonly network: NetworkList
  /** Where the list came from: a file, or a plugin's example. For messages. */
  readonly source?: string
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
  if (network !== undefined) {
    const file = resolve(folder, network)
    return { plugins, network: await readNetwork(file, plugins), source: file }
  }
  const type = Object.keys(own)[0] ?? plugin ?? 'flannel'
  const factory = plugins[type]
  if (!factory) throw new Failure('usage', `there is no plugin ${type}`)
  return { plugins, network: exampleNetwork(factory), source: `the example of plugin ${type}` }
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
  const network = parsed(text, file)
  for (const { type } of network.plugins) {
    if (Object.hasOwn(plugins, type)) continue
    throw new Failure(
      'usage',
      `${file}: there is no plugin ${type}; there are ${Object.keys(plugins).sort().join(', ')}`,
    )
  }
  return network
}

function parsed(text: string, file: string): NetworkList {
  try {
    return parseNetworkList(text, { what: file })
  } catch (cause) {
    throw new Failure('usage', explain(cause).join('\n'), { cause })
  }
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
    const file = /^[./]/.test(name) ? resolve(folder, name) : installed(name, folder)
    return await import(pathToFileURL(file).href)
  } catch (cause) {
    const known = Object.keys(shippedPlugins).join(', ')
    const why = cause instanceof Error ? cause.message.split('\n')[0] : cause
    throw new Failure('usage', `plugin ${name}: cannot be loaded: ${why}; shipped plugins are ${known}`, {
      cause,
    })
  }
}

/** The file of a package as an `import` in the folder would find it. */
function installed(name: string, folder: string): string {
  const require = createRequire(join(folder, 'package.json'))
  try {
    return require.resolve(name)
  } catch (error) {
    // A package for `import` alone.
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED'))
      throw error
    const manifest = findPackageJSON(name, join(folder, 'package.json'))
    const entry = manifest && importEntry(JSON.parse(readFileSync(manifest, 'utf8')).exports)
    if (!manifest || !entry) throw error
    return join(dirname(manifest), entry)
  }
}

/** Conditions in the manifest's own order, as Node matches them. */
function importEntry(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  const conditions = ['.', 'node', 'import', 'module-sync', 'node-addons', 'default']
  for (const [condition, target] of Object.entries(exports)) {
    const entry = conditions.includes(condition) ? importEntry(target) : undefined
    if (entry !== undefined) return entry
  }
  return undefined
}
