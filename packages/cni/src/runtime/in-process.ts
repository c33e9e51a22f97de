import { CniError } from '../error.ts'
import type { Exec } from '../exec.ts'
import { execDelegate } from '../exec-delegate.ts'
import type { PluginContext, PluginFactory } from '../plugin.ts'
import { type PluginHost, pluginHost } from '../skel/host.ts'
import { runVerb } from '../skel/run-verb.ts'

export interface InProcessOptions {
  /** The plugins that there are, by their types. */
  readonly plugins: Readonly<Record<string, PluginFactory>>
  /** What the plugins of one network get; asked for once for each network and plugin. Delegation is added: to the same plugins. */
  readonly context: (network: string) => NetworkContext | Promise<NetworkContext>
}

/** A plugin's context but for delegation, which follows from where plugins run. */
export type NetworkContext = Omit<PluginContext, 'delegate'>

/** Runs plugins in this process, through the same edge as executables: the same octets in, the same octets out. */
export function inProcess({ plugins, context }: InProcessOptions): Exec {
  const hosts = new Map<string, PluginHost>()
  const exec: Exec = {
    async run(type, env, stdin, options = {}) {
      const host = hosts.get(type)
      if (host === undefined) {
        const known = [...hosts.keys()].sort().join(', ')
        throw new CniError(
          'CNI_INVALID_NETWORK_CONFIG',
          `there is no plugin ${type}; there are ${known || 'none'}`,
        )
      }
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
          if (!hosts.has(delegated)) {
            throw new CniError('CNI_INVALID_NETWORK_CONFIG', `there is no plugin ${delegated} to delegate to`)
          }
          return execDelegate(exec, delegated, (text) => own.log.warn(text.trimEnd(), { plugin: delegated }))
        },
      }
    })
    if (host.type !== type) throw new RangeError(`the plugin listed as ${type} calls itself ${host.type}`)
    hosts.set(type, host)
  }
  return exec
}
