import {
  CniError,
  type Controller,
  type Plugin,
  type PluginContext,
  type PluginFactory,
} from '@podfabric/cni'
import { bridgeConfig, bridgeVersions, savedConfig } from './bridge-config.ts'
import { type FlannelConfig, parseFlannelConfig } from './config.ts'
import { flannelController } from './controller.ts'
import { delegateName, delegateRecords } from './delegate-record.ts'
import { nodeRecords } from './node-record.ts'

export type { FlannelConfig } from './config.ts'

/**
 * The flat pod network in the manner of Flannel: one subnet for each node, a bridge on each node, and between nodes VXLAN or routes.
 * ADD and DEL are the bridge plugin's work, in the subnet that the node's controller has leased.
 */
const flannel: PluginFactory<FlannelConfig> = (context) => {
  const bridge = () => context.delegate('bridge')
  let controller: Controller | undefined
  return {
    type: 'flannel',
    versions: bridgeVersions,
    example: {
      cniVersion: '1.1.0',
      name: 'podfabric',
      type: 'flannel',
      network: '10.244.0.0/16',
      backend: { type: 'vxlan' },
    },
    parse: parseFlannelConfig,
    async add(request) {
      const source = bridgeConfig(request.source, request.config, await nodeRecord(context))
      const records = delegateRecords(context.store, context.node.name)
      const name = delegateName(request)
      const { prevResult, ...kept } = source
      if (await records.get(name)) {
        // An attachment that is there is refused and stays; what an earlier ADD left is replaced by the bridge plugin.
        const result = await bridge().add({ ...request, source })
        await records.put(name, kept)
        return result
      }
      // First the record, then the attachment: whatever exists can be undone.
      await records.put(name, kept)
      try {
        return await bridge().add({ ...request, source })
      } catch (error) {
        // SPEC 1.1.0, section 4: a delegate whose ADD failed is called with DEL. If that fails, the record stays for the next.
        await bridge()
          .del({ ...request, source })
          .then(() => records.delete(name))
          .catch((failure) => context.log.warn('a failed ADD was not undone wholly', { error: failure }))
        throw error
      }
    },
    async check(request) {
      const saved = await delegateRecords(context.store, context.node.name).get(delegateName(request))
      if (!saved) {
        throw new CniError(
          'CNI_CHECK_FAILED',
          `there is no record of container ${request.containerId}, ${request.ifName}`,
        )
      }
      await bridge().check({ ...request, source: savedConfig(saved.value, request.source) })
    },
    async del(request) {
      const records = delegateRecords(context.store, context.node.name)
      const saved = await records.get(delegateName(request))
      if (!saved) return
      await bridge().del({ ...request, source: savedConfig(saved.value, request.source) })
      await records.delete(delegateName(request))
    },
    async gc(request) {
      const record = await nodeRecords(context.store).get(context.node.name)
      if (!record) return
      await bridge().gc({ ...request, source: bridgeConfig(request.source, request.config, record.value) })
      const valid = new Set(request.validAttachments.map(delegateName))
      const records = delegateRecords(context.store, context.node.name)
      for (const { name } of (await records.list()).items) if (!valid.has(name)) await records.delete(name)
    },
    async status(request) {
      const record = await nodeRecord(context)
      await bridge().status({ ...request, source: bridgeConfig(request.source, request.config, record) })
      // Where the controller runs in this process, it knows more: pods are served, but perhaps not all peers are reached.
      const { ready, message } = controller?.status() ?? { ready: true, message: '' }
      if (ready) return
      throw new CniError('CNI_LIMITED_CONNECTIVITY', `node ${context.node.name} is not in order`, {
        details: message,
      })
    },
    controller(config) {
      controller = flannelController(config, context)
      return controller
    },
  } satisfies Plugin<FlannelConfig>
}

export default flannel

/** What the controller wrote. Before that, no pod can be attached. */
async function nodeRecord({ store, node }: PluginContext) {
  const record = await nodeRecords(store).get(node.name)
  if (record) return record.value
  throw new CniError('CNI_NOT_AVAILABLE', `node ${node.name} has no subnet yet`, {
    details: 'the node’s controller leases one; is the agent running there?',
  })
}
