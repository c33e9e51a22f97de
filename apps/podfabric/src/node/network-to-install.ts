import { readFile } from 'node:fs/promises'
import { isCniVersion, type ListedPlugin, parseNetworkList } from '@podfabric/cni'
import { explain, Failure } from '../failure.ts'
import { exampleNetwork } from '../plugins.ts'
import { nodePlugins } from './node-plugins.ts'

export interface NetworkToInstallOptions {
  /** A shipped plugin; its example is the network. */
  readonly plugin: string
  /** A file with a network list to install instead. */
  readonly network?: string | undefined
  /** The version that the list is to say: one that the runtimes of the machine take. */
  readonly cniVersion: string
}

/** The text of the network list for container runtimes, read once by ourselves. */
export async function networkToInstall(options: NetworkToInstallOptions): Promise<string> {
  const { plugin, network, cniVersion } = options
  if (!isCniVersion(cniVersion))
    throw new Failure('usage', `--cni-version ${cniVersion}: there is no such version`)
  const list = network === undefined ? example(plugin) : await givenList(network)
  const text = `${JSON.stringify({ ...list, cniVersion }, null, 2)}\n`
  try {
    const { plugins } = parseNetworkList(text, { what: network ?? `the example of ${plugin}` })
    const missing = plugins.find(({ type }) => !Object.hasOwn(nodePlugins, type))
    if (missing) throw new Failure('usage', `there is no plugin ${missing.type}; there are ${known()}`)
  } catch (cause) {
    throw cause instanceof Failure ? cause : new Failure('usage', explain(cause).join('\n'), { cause })
  }
  return text
}

function example(plugin: string): object {
  const factory = nodePlugins[plugin]
  if (!factory) throw new Failure('usage', `there is no plugin ${plugin}; there are ${known()}`)
  const { plugins } = exampleNetwork(factory)
  return { name: 'podfabric', plugins: plugins.flatMap(withPorts) }
}

/** What attaches containers also publishes the ports that runtimes ask for. */
function withPorts(plugin: ListedPlugin): readonly object[] {
  const portmap = { type: 'portmap', capabilities: { portMappings: true } }
  // With hairpinMode, a container reaches itself by a port of the node where frames that bridges carry are filtered too.
  if (plugin.type === 'bridge' && plugin.ipam !== undefined)
    return [{ ...plugin, hairpinMode: true }, portmap]
  return plugin.type === 'flannel' ? [plugin, portmap] : [plugin]
}

async function givenList(file: string): Promise<object> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof value === 'object' && value !== null) return value
    throw new TypeError('expected a network list, a JSON object')
  } catch (cause) {
    throw new Failure('usage', `${file}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
}

function known(): string {
  return Object.keys(nodePlugins).sort().join(', ')
}
