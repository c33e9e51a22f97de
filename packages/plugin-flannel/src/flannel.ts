import {
  type AddRequest,
  type AddResult,
  type AttachmentRequest,
  CniError,
  type Controller,
  codeOf,
  type DelRequest,
  type Plugin,
  type PluginConfig,
  type PluginContext,
  type PluginFactory,
  processLocks,
  type Request,
  toCniError,
} from '@podfabric/cni'
import { bridgeConfig, bridgeVersions, savedConfig } from './bridge-config.ts'
import { type DaemonConfig, type FlannelConfig, parseFlannelConfig } from './config.ts'
import { flannelController } from './controller.ts'
import { daemonDelegate, defaultIpam } from './daemon-delegate.ts'
import { delegateRecords } from './delegate-record.ts'
import type { NodeFiles } from './node-files.ts'
import { nodeRecords } from './node-record.ts'
import { type SavedConfigs, savedInFiles, savedInStore } from './saved-configs.ts'
import { parseSubnetFile, type SubnetFile } from './subnet-file.ts'

/**
 * The flat pod network in the manner of Flannel: one subnet for each node, a bridge on each node, and between nodes VXLAN or routes.
 * ADD and DEL are the bridge plugin's work, in the subnet that the node's controller has leased.
 */
export function flannel(context: PluginContext): Plugin<FlannelConfig> {
  return make(context, undefined)
}

/**
 * flannel with the node's files: where the configuration has no `network`, the network is Flannel's daemon's, and this stands in the
 * place of Flannel's own plugin.
 */
export function flannelOn(files: NodeFiles): PluginFactory<FlannelConfig> {
  return (context) => make(context, files)
}

export default flannel satisfies PluginFactory<FlannelConfig>

function make(context: PluginContext, files: NodeFiles | undefined): Plugin<FlannelConfig> {
  const { store, node, log, locks = processLocks() } = context
  /** The record and what the delegate makes are one: calls for one attachment run one after the other. */
  const alone = <T>(
    { containerId, ifName }: AttachmentRequest,
    work: () => Promise<T>,
    signal?: AbortSignal,
  ) => locks.exclusive(`delegates/${node.name}/${containerId}/${ifName}`, work, { signal })
  let controller: Controller | undefined

  const filesOf = (): NodeFiles => {
    if (files !== undefined) return files
    throw new TypeError('a configuration of the daemon’s was read without files')
  }

  /** What the delegate is to be given now. Fails where the node has no subnet yet. */
  const configOf = async ({ source, config }: Request<FlannelConfig>): Promise<PluginConfig> =>
    'network' in config
      ? bridgeConfig(source, config, await nodeRecord(context))
      : daemonDelegate(source, config, await subnetFile(filesOf(), config))

  const savedOf = ({ source, config }: Request<FlannelConfig>): SavedConfigs => {
    const stored = savedInStore(delegateRecords(store, node.name))
    if ('network' in config) return stored
    const { dataDir } = config
    return savedInFiles(stored, { files: filesOf(), dataDir, network: source.name, log })
  }

  const delegateOf = ({ type }: PluginConfig) => context.delegate(type)

  const add = async (request: AddRequest<FlannelConfig>): Promise<AddResult> => {
    const source = await configOf(request)
    const delegate = delegateOf(source)
    const saved = savedOf(request)
    const { prevResult, ...kept } = source
    if (await saved.get(request)) {
      // An attachment that is there is refused and stays; what an earlier ADD left is replaced by the delegate.
      const result = await delegate.add({ ...request, source })
      await saved.put(request, kept)
      return result
    }
    try {
      // First the record, then the attachment: whatever exists can be undone.
      await saved.put(request, kept)
      return await delegate.add({ ...request, source })
    } catch (error) {
      // SPEC 1.1.0, section 4: a delegate whose ADD failed is called with DEL. If that fails, the record stays for the next.
      // Undoing is no part of what was given up.
      const { signal } = new AbortController()
      await delegate
        .del({ ...request, source, signal })
        .then(() => saved.delete(request))
        .catch((failure) => log.warn('a failed ADD was not undone wholly', { error: failure }))
      throw error
    }
  }

  const del = async (request: DelRequest<FlannelConfig>): Promise<void> => {
    const saved = savedOf(request)
    const found = await saved.get(request)
    if (!found) return
    // What cannot be read any more was probably as it would be made now.
    const config = found === 'damaged' ? await configOf(request) : found
    await delegateOf(config).del({ ...request, source: savedConfig(config, request.source) })
    await saved.delete(request)
  }

  return {
    type: 'flannel',
    versions: bridgeVersions,
    ipamType: defaultIpam,
    example: {
      cniVersion: '1.1.0',
      name: 'podfabric',
      type: 'flannel',
      network: '10.244.0.0/16',
      backend: { type: 'vxlan' },
    },
    parse: (source) => parseFlannelConfig(source, files !== undefined),

    add: (request) => alone(request, () => add(request), request.signal),

    async check(request) {
      const config = await savedOf(request).get(request)
      if (config === undefined || config === 'damaged') throw unknown(request)
      await delegateOf(config).check({ ...request, source: savedConfig(config, request.source) })
    },

    del: (request) => alone(request, () => del(request)),

    async gc(request) {
      const saved = savedOf(request)
      const source = await configOf(request).catch(async (error: unknown) => {
        const before = await saved.any()
        if (before) return savedConfig(before, request.source)
        if (isNoSubnet(error)) return undefined
        throw error
      })
      // No subnet and nothing attached: there is nothing to collect.
      if (!source) return
      await delegateOf(source).gc({ ...request, source })
      await saved.retain(request.validAttachments)
    },

    async rebuild(request) {
      if (!request.found.some(({ markedBy }) => markedBy.length > 0)) return
      const { prevResult, ...kept } = await configOf(request)
      const saved = savedOf(request)
      // What another implementation attached is none of ours: its delegate has marked nothing.
      for (const each of request.found.filter(({ markedBy }) => markedBy.includes(kept.type))) {
        if (!(await saved.get(each))) await saved.put(each, kept)
      }
    },

    async status(request) {
      const source = await configOf(request).catch((cause: unknown) => {
        const { message, details } = toCniError(cause)
        throw new CniError('CNI_NOT_AVAILABLE', message, { cause, details })
      })
      await delegateOf(source).status({ ...request, source })
      // Where the controller runs in this process, it knows more: pods are served, but perhaps not all peers are reached.
      const { ready, message } = controller?.status() ?? { ready: true, message: '' }
      if (ready) return
      throw new CniError('CNI_LIMITED_CONNECTIVITY', `node ${node.name} is not in order`, {
        details: message,
      })
    },

    controller(config) {
      controller = 'network' in config ? flannelController(config, context) : undefined
      return controller
    },
  }
}

/** What the controller wrote. Before that, no pod can be attached. */
async function nodeRecord({ store, node }: PluginContext) {
  const record = await nodeRecords(store).get(node.name)
  if (record) return record.value
  throw new CniError('CNI_NOT_AVAILABLE', `node ${node.name} has no subnet yet`, {
    details: 'the node’s controller leases one; is the agent running there?',
  })
}

/** What the daemon wrote. It is gone after a reboot, until the daemon is back. */
async function subnetFile(files: NodeFiles, { subnetFile: path }: DaemonConfig): Promise<SubnetFile> {
  const text = await files.read(path).catch((cause: unknown) => {
    throw new CniError('CNI_IO_FAILURE', `subnetFile: ${path} cannot be read`, { cause })
  })
  if (text !== undefined) return parseSubnetFile(text, path)
  throw new CniError('CNI_TRY_AGAIN_LATER', `subnetFile: there is no ${path} yet`, {
    details: 'Flannel’s daemon writes it; is it running on this node?',
  })
}

function isNoSubnet(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'CNI_NOT_AVAILABLE' || code === 'CNI_TRY_AGAIN_LATER'
}

function unknown({ containerId, ifName }: AttachmentRequest): CniError {
  return new CniError('CNI_CHECK_FAILED', `there is no record of container ${containerId}, ${ifName}`)
}
