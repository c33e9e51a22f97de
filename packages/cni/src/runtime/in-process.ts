import { CniError } from '../error.ts'
import type { Exec } from '../exec.ts'
import { execDelegate } from '../exec-delegate.ts'
import type { Plugin, PluginContext, PluginFactory } from '../plugin.ts'
import { type PluginHost, pluginHost } from '../skel/host.ts'
import { runVerb } from '../skel/run-verb.ts'

export interface InProcessOptions {
  /** The plugins that there are, by their types. */
  readonly plugins: Readonly<Record<string, PluginFactory>>
  /** What the plugins of one network get; asked for once for each network and plugin. Delegation is added: to the same plugins. */
  readonly context: (network: string) => NetworkContext | Promise<NetworkContext>
  /** Runs the delegates that are not among the plugins. Default: there are no others. */
  readonly elsewhere?: Exec
}

/** A plugin's context but for delegation, which follows from where plugins run. */
export type NetworkContext = Omit<PluginContext, 'delegate'>

/** Plugins that run in this process. */
export interface InProcess extends Exec {
  /** The plugin that serves a network's calls. CNI_INVALID_NETWORK_CONFIG when there is no plugin of that type. */
  plugin(network: string, type: string): Promise<Plugin>
}

/** Runs plugins in this process, through the same edge as executables: the same octets in, the same octets out. */
export function inProcess({ plugins, context, elsewhere }: InProcessOptions): InProcess {
  const hosts = new Map<string, PluginHost>()

  function hostOf(type: string): PluginHost {
    const host = hosts.get(type)
    if (host) return host
    const known = [...hosts.keys()].sort().join(', ') || 'none'
    throw new CniError('CNI_INVALID_NETWORK_CONFIG', `there is no plugin ${type}; there are ${known}`)
  }

  const exec: Exec = {
    async run(type, env, stdin, options = {}) {
      const host = hostOf(type)
      options.signal?.throwIfAborted()
      let stderr = ''
      const warn = (message: string) => {
        stderr += `${message}\n`
      }
      const { stdout, exitCode } = await runVerb({ env, stdin, signal: options.signal, warn }, host)
      return { stdout, stderr, exitCode }
    },
  }
  for (const [type, factory] of Object.entries(plugins)) {
    const host = pluginHost(factory, async (network) => {
      const own = await context(network)
      return {
        ...own,
        delegate: (delegated) => {
          const where = hosts.has(delegated) ? exec : elsewhere
          if (where === undefined) {
            throw new CniError('CNI_INVALID_NETWORK_CONFIG', `there is no plugin ${delegated} to delegate to`)
          }
          return execDelegate(where, delegated, (text) => own.log.warn(text.trimEnd(), { plugin: delegated }))
        },
      }
    })
    if (host.type !== type) throw new RangeError(`the plugin listed as ${type} calls itself ${host.type}`)
    hosts.set(type, host)
  }
  return { ...exec, plugin: async (network, type) => hostOf(type).plugin(network) }
}
