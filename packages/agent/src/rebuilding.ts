import {
  CniError,
  codeOf,
  type FoundAttachment,
  type Log,
  type Plugin,
  type PluginFactory,
  type Request,
} from '@podfabric/cni'
import type { Clock } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'

export interface RebuildingOptions {
  /** The node's. What was rebuilt is under `rebuilt/<node>/<network>/<type>`. */
  readonly store: Store
  readonly node: { readonly name: string }
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
  readonly evidence: (network: string) => Promise<readonly FoundAttachment[]>
}

/** Seconds after which a process that rebuilds counts as dead. */
const patience = 30

/**
 * Plugins that come to know again what lives on the node, before they do anything else: where the store says nothing of a network,
 * since it is fresh, or was damaged and set aside, each plugin rebuilds its records from the evidence before its first ADD, CHECK,
 * DEL or GC. One process at a time; until it is done the others, and calls where it failed, get CNI_TRY_AGAIN_LATER.
 */
export function rebuilding(options: RebuildingOptions): (factory: PluginFactory) => PluginFactory {
  const { store, node, clock, log, evidence } = options
  const known = new Map<string, Promise<void>>()

  async function rebuild(plugin: Plugin, request: Request, key: string): Promise<void> {
    const { name: network } = request.source
    if (await store.get(`rebuilt/${key}`)) return
    const lease = await store.lease(patience)
    try {
      await store.put(`rebuilding/${key}`, '', { ifRevision: 0, lease: lease.id })
      // Whoever had the turn before may have done it.
      if (await store.get(`rebuilt/${key}`)) return
      const found = await evidence(network)
      await plugin.rebuild?.({ ...request, signal: new AbortController().signal, found })
      await store.put(`rebuilt/${key}`, JSON.stringify({ at: clock.now(), found: found.length }))
      if (found.length > 0) {
        const facts = { network, plugin: plugin.type, attachments: found.length }
        log.warn('the state did not know of attachments that live; it was rebuilt from them', facts)
      }
    } finally {
      await lease.revoke()
    }
  }

  /** CNI_TRY_AGAIN_LATER as long as it is not done. */
  async function once(plugin: Plugin, request: Request): Promise<void> {
    const names = [node.name, request.source.name, plugin.type]
    const key = names.map(encodeURIComponent).join('/')
    const rebuilt = known.get(key) ?? rebuild(plugin, request, key)
    known.set(key, rebuilt)
    try {
      await rebuilt
    } catch (cause) {
      known.delete(key)
      const isBusy = codeOf(cause) === 'STORE_CONFLICT'
      const details = isBusy
        ? 'another process does it'
        : cause instanceof Error
          ? cause.message
          : String(cause)
      throw new CniError(
        'CNI_TRY_AGAIN_LATER',
        `what lives of network ${request.source.name} has to be found again first`,
        { cause, details },
      )
    }
  }

  return (factory) => (context) => {
    const plugin = factory(context)
    if (plugin.rebuild === undefined) return plugin
    const first =
      <R extends Request, T>(verb: (request: R) => Promise<T>) =>
      async (request: R): Promise<T> => {
        await once(plugin, request)
        return verb(request)
      }
    return {
      ...plugin,
      parse: (config) => plugin.parse(config),
      add: first((request) => plugin.add(request)),
      check: first((request) => plugin.check(request)),
      del: first((request) => plugin.del(request)),
      ...(plugin.gc && { gc: first(async (request) => plugin.gc?.(request)) }),
      ...(plugin.status && { status: async (request) => plugin.status?.(request) }),
      rebuild: async (request) => plugin.rebuild?.(request),
      ...(plugin.controller && { controller: (config) => plugin.controller?.(config) }),
    }
  }
}
