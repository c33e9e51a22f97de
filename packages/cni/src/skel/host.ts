import type { PluginConfig } from '../config.ts'
import { CniError } from '../error.ts'
import type { Plugin, PluginContext, PluginFactory } from '../plugin.ts'
import type { CniVersion } from '../version.ts'

/** One plugin, for as many networks as call it. */
export interface PluginHost {
  readonly type: string
  readonly versions: readonly CniVersion[]
  readonly ipamType?: string
  /** The plugin of one network: a host that stays gives the same one each time. Errors reach the caller as CNI errors. */
  plugin(network: string): Plugin | Promise<Plugin>
}

/** Makes what the plugins of one network may touch. */
export type ContextOf = (network: string) => PluginContext | Promise<PluginContext>

/** A host for a factory; the context is asked for once for each network, when it is first called. */
export function pluginHost(
  factory: PluginFactory,
  context: ContextOf,
): PluginHost & { readonly example: PluginConfig } {
  const { type, versions, example, ipamType } = factory(inertContext)
  const plugins = new Map<string, Promise<Plugin>>()
  return {
    type,
    versions,
    ...(ipamType !== undefined && { ipamType }),
    example,
    async plugin(network) {
      const known = plugins.get(network) ?? (async () => factory(await context(network)))()
      plugins.set(network, known)
      try {
        return await known
      } catch (error) {
        // A context that could not be made now may be made later.
        plugins.delete(network)
        throw error
      }
    },
  }
}

/** For asking a plugin about itself. A factory that already works with its context is a mistake in the plugin. */
export const inertContext: PluginContext = {
  kernel: untouchable('kernel'),
  store: untouchable('store'),
  clock: untouchable('clock'),
  log: untouchable('log'),
  random: () => refuse('random'),
  node: { name: 'none' },
  delegate: () => refuse('delegate'),
}

function untouchable<T extends object>(name: string): T {
  // Nothing of T is ever read from it: every access throws.
  return new Proxy({} as T, { get: () => refuse(name) })
}

function refuse(name: string): never {
  throw new CniError(
    'CNI_INTERNAL',
    `the plugin's factory used context.${name} at once; a factory does nothing before a verb is called`,
  )
}
