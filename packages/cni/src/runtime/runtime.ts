import { together } from '../attachment.ts'
import { type Call, formatCall } from '../call.ts'
import type { ListedPlugin, NetworkList } from '../config.ts'
import { CniError } from '../error.ts'
import { parseContainerId, parseIfName, parseNetworkName } from '../identifiers.ts'
import { JsonReader } from '../json-reader.ts'
import { KeyedMutex, SharedLock } from '../locks.ts'
import { parseJson } from '../parse-json.ts'
import { resultOf, throwIfFailed } from '../plugin-outcome.ts'
import type { AttachmentId } from '../request.ts'
import type { AddResult } from '../result.ts'
import { taggedAttachmentsKey, validAttachmentsKey } from '../skel/gc-attachments.ts'
import { codeOf, toCniError } from '../to-cni-error.ts'
import { type CniVersion, isAtLeast, isCniVersion, newestCniVersion } from '../version.ts'
import type { CallOptions, CniRuntime, CniRuntimeOptions, RuntimeAttachment } from './cni-runtime.ts'
import { type RequestParts, requestConfig } from './request-config.ts'
import { type CachedAttachment, cacheName, resultCache } from './result-cache.ts'

export function cniRuntime({ exec, store, log, path = [] }: CniRuntimeOptions): CniRuntime {
  const cache = resultCache(store)
  const containers = new KeyedMutex()
  const collecting = new SharedLock()

  const call = async (
    network: NetworkList,
    plugin: ListedPlugin,
    what: Call,
    parts: RequestParts,
    signal?: AbortSignal,
  ) => {
    const config = requestConfig(network, plugin, parts)
    const outcome = await exec.run(plugin.type, formatCall(what), JSON.stringify(config), { signal })
    if (outcome.stderr.trim() !== '') {
      log.info(outcome.stderr.trimEnd(), { plugin: plugin.type, command: what.command })
    }
    return outcome
  }

  const facts = ({ trace }: CallOptions) => ({ path, ...(trace && { trace }) })

  const addAll = async (
    network: NetworkList,
    attachment: RuntimeAttachment,
    options: CallOptions,
    reach: Reach,
  ) => {
    const { containerId, ifName, netns, args = {}, capabilityArgs = {} } = attachment
    const remembered: CachedAttachment = {
      network: network.name,
      containerId,
      ifName,
      netns,
      args,
      capabilityArgs,
    }
    const name = cacheName(network.name, attachment)
    const begun = await cache.put(name, remembered, { ifRevision: 0 }).catch((cause: unknown) => {
      if (codeOf(cause) !== 'STORE_CONFLICT') throw cause
      throw new CniError(
        'CNI_INTERFACE_EXISTS',
        `container ${containerId}, interface ${ifName} is in network ${network.name} already; DEL it first`,
        { cause },
      )
    })
    reach.begun = true
    const what: Call = { command: 'ADD', containerId, ifName, netns, args, ...facts(options) }
    let result: AddResult | undefined
    for (const plugin of network.plugins) {
      options.signal?.throwIfAborted()
      reach.plugins++
      const outcome = await call(
        network,
        plugin,
        what,
        { capabilityArgs, prevResult: result },
        options.signal,
      )
      const printed = resultOf(outcome, network.cniVersion, `${plugin.type} ADD`)
      if (printed.version !== network.cniVersion) {
        log.warn('a plugin answered in another version than it was asked in', {
          plugin: plugin.type,
          asked: network.cniVersion,
          answered: printed.version,
        })
      }
      result = printed.result
    }
    if (result === undefined)
      throw new CniError('CNI_INVALID_NETWORK_CONFIG', `network ${network.name} has no plugin`)
    await cache.put(name, { ...remembered, result }, { ifRevision: begun })
    return result
  }

  /** What is remembered. An entry that cannot be read is reported and counts as lost: DEL must not fail for it. */
  const recall = async (network: string, id: AttachmentId): Promise<CachedAttachment | undefined> => {
    const found = await cache.get(cacheName(network, id))
    if (found === undefined || 'value' in found) return found?.value
    log.warn('a cached result cannot be read; it counts as lost', { error: found.damage })
    return undefined
  }

  const delAll = async (
    network: NetworkList,
    attachment: AttachmentId & Partial<RuntimeAttachment>,
    options: CallOptions,
  ) => {
    const cached = await recall(network.name, attachment)
    const { containerId, ifName } = attachment
    const netns = attachment.netns ?? cached?.netns ?? ''
    const args = attachment.args ?? cached?.args ?? {}
    const capabilityArgs = attachment.capabilityArgs ?? cached?.capabilityArgs ?? {}
    const prevResult = isAtLeast(network.cniVersion, '0.4.0') ? cached?.result : undefined
    const what: Call = {
      command: 'DEL',
      containerId,
      ifName,
      args,
      ...(netns && { netns }),
      ...facts(options),
    }
    for (const plugin of network.plugins.toReversed()) {
      const outcome = await call(network, plugin, what, { capabilityArgs, prevResult }, options.signal)
      throwIfFailed(outcome, `${plugin.type} DEL`)
    }
    await cache.delete(cacheName(network.name, attachment))
  }

  const ofContainer = <T>(network: NetworkList, id: AttachmentId, work: () => Promise<T>): Promise<T> =>
    told(async () => {
      checkIds(network, id)
      return collecting.shared(() => containers.run(id.containerId, work))
    })

  return {
    add: (network, attachment, options = {}) =>
      ofContainer(network, attachment, () =>
        addAll(network, attachment, options, { begun: false, plugins: 0 }),
      ),

    addOrUndo: (network, attachment, options = {}) =>
      ofContainer(network, attachment, async () => {
        const reach: Reach = { begun: false, plugins: 0 }
        try {
          return await addAll(network, attachment, options, reach)
        } catch (error) {
          if (!reach.begun) throw error
          // DEL is no part of what was given up, so it does not get ADD's signal.
          const { trace } = options
          throw await afterUndo(error, reach, {
            undo: () => delAll(network, attachment, trace === undefined ? {} : { trace }),
            forget: () => cache.delete(cacheName(network.name, attachment)),
          })
        }
      }),

    check: (network, attachment, options = {}) =>
      ofContainer(network, attachment, async () => {
        if (network.disableCheck) return
        if (!isAtLeast(network.cniVersion, '0.4.0')) {
          throw new CniError(
            'CNI_INCOMPATIBLE_VERSION',
            `CHECK came with version 0.4.0; network ${network.name} is ${network.cniVersion}`,
          )
        }
        const cached = await recall(network.name, attachment)
        if (cached?.result === undefined) {
          const { containerId, ifName } = attachment
          throw new CniError(
            'CNI_UNKNOWN_CONTAINER',
            `container ${containerId}, interface ${ifName} was not added to network ${network.name}`,
          )
        }
        const { containerId, ifName, netns, args, capabilityArgs, result } = cached
        const what: Call = { command: 'CHECK', containerId, ifName, netns, args, ...facts(options) }
        for (const plugin of network.plugins) {
          const outcome = await call(
            network,
            plugin,
            what,
            { capabilityArgs, prevResult: result },
            options.signal,
          )
          throwIfFailed(outcome, `${plugin.type} CHECK`)
        }
      }),

    del: (network, attachment, options = {}) =>
      ofContainer(network, attachment, () => delAll(network, attachment, options)),

    gc: (network, valid, options = {}) =>
      told(() =>
        collecting.exclusive(async () => {
          if (network.disableGc) return
          const alive = new Set(valid.map((id) => cacheName(network.name, id)))
          const failures: CniError[] = []
          const attempt = (work: Promise<unknown>) =>
            work.catch((error: unknown) => void failures.push(toCniError(error)))
          for (const cached of await attachmentsOf(network.name)) {
            if (!alive.has(cacheName(network.name, cached))) await attempt(delAll(network, cached, options))
          }
          const list = valid.map(({ containerId, ifName }) => ({ containerID: containerId, ifname: ifName }))
          const more = { [validAttachmentsKey]: list, [taggedAttachmentsKey]: list }
          const plugins = isAtLeast(network.cniVersion, '1.1.0') ? network.plugins : []
          for (const plugin of plugins) {
            const what: Call = { command: 'GC', ...facts(options) }
            await attempt(
              call(network, plugin, what, { more }, options.signal).then((outcome) =>
                throwIfFailed(outcome, `${plugin.type} GC`),
              ),
            )
          }
          if (failures.length > 0) throw together(failures, `network ${network.name}`)
        }),
      ),

    status: (network, options = {}) =>
      told(async () => {
        if (!isAtLeast(network.cniVersion, '1.1.0')) return
        for (const plugin of network.plugins) {
          const outcome = await call(
            network,
            plugin,
            { command: 'STATUS', ...facts(options) },
            {},
            options.signal,
          )
          throwIfFailed(outcome, `${plugin.type} STATUS`)
        }
      }),

    version: (type, options = {}) => told(() => versionsOf(type, options)),

    validate: (network, options = {}) =>
      told(async () => {
        for (const { type } of network.plugins) {
          const versions = await versionsOf(type, options)
          if (versions.includes(network.cniVersion)) continue
          throw new CniError(
            'CNI_INCOMPATIBLE_VERSION',
            `plugin ${type} does not serve version ${network.cniVersion} of network ${network.name}`,
            { details: `it serves ${versions.join(', ')}` },
          )
        }
      }),

    attachments: (network) => told(() => attachmentsOf(network)),
  }

  async function versionsOf(type: string, options: CallOptions): Promise<readonly CniVersion[]> {
    const env = formatCall({ command: 'VERSION', ...facts(options) })
    const stdin = JSON.stringify({ cniVersion: newestCniVersion })
    const outcome = await exec.run(type, env, stdin, { signal: options.signal })
    throwIfFailed(outcome, `${type} VERSION`)
    const reader = new JsonReader(parseJson(outcome.stdout, { what: `${type} VERSION` }), '')
    const listed = reader.required(
      'supportedVersions',
      reader.texts('supportedVersions'),
      'a list of versions',
    )
    return listed.filter(isCniVersion)
  }

  async function attachmentsOf(network: string): Promise<readonly CachedAttachment[]> {
    const found = (await cache.list()).filter(({ name }) => name.startsWith(`${network}/`))
    return found.flatMap((each) => {
      if ('value' in each) return [each.value]
      log.warn('a cached result cannot be read; its attachment is not listed', { error: each.damage })
      return []
    })
  }
}

/** How far an ADD came. */
interface Reach {
  begun: boolean
  plugins: number
}

async function afterUndo(
  error: unknown,
  reach: Reach,
  { undo, forget }: { readonly undo: () => Promise<unknown>; readonly forget: () => Promise<unknown> },
): Promise<CniError> {
  const original = toCniError(error)
  // "Container unknown" from the first plugin: nothing was applied, and no DEL is needed.
  const needless = original.number === 3 && reach.plugins <= 1
  try {
    await (needless ? forget() : undo())
    return original
  } catch (second) {
    const left = `DEL failed too: ${toCniError(second).message}`
    return new CniError(original.code, original.message, {
      cause: new AggregateError([error, second]),
      number: original.number,
      details: original.details === undefined ? left : `${original.details}; ${left}`,
    })
  }
}

function checkIds(network: NetworkList, { containerId, ifName }: AttachmentId): void {
  parseNetworkName(network.name)
  parseContainerId(containerId)
  parseIfName(ifName)
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw toCniError(error)
  }
}
