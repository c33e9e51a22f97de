import {
  type AttachmentRequest,
  type Attachments,
  attachmentsOf,
  CniError,
  cniVersions,
  codeOf,
  type Intent,
  type Ip,
  type Kernel,
  onNode,
  type Plugin,
  type PluginConfig,
  type PluginContext,
  type Request,
  type Resource,
  toCniError,
  together,
} from '@podfabric/cni'
import { ownChain } from './attachment-rules.ts'
import { type PortmapConfig, parsePortmapConfig } from './config.ts'
import { removeTable } from './detach.ts'
import { chainsOf, detachListed } from './detach-listed.ts'
import { localhostRouting } from './localhost-routing.ts'
import {
  containerAddresses,
  factsOf,
  familyIn,
  mappingsFor,
  type Published,
  publishedIn,
} from './port-mapping.ts'
import { portRules } from './port-rules.ts'

/** Read when it is needed: DEL and GC go by what was recorded, and must not fail where ADD was refused. */
export type LazyConfig = () => PortmapConfig

/**
 * Leads ports of the node to ports of a container that plugins before it in the list have attached. Who has which port is in the
 * node's own nftables, so that two networks cannot give the same one.
 */
export function portmap(context: PluginContext): Plugin<LazyConfig> {
  const { kernel } = context
  let attachments: Attachments | undefined

  const ledger = (): Attachments => {
    attachments ??= attachmentsOf({
      ...context,
      type: 'portmap',
      idle: () => onNode(kernel, removeTable),
    })
    return attachments
  }

  const resourcesFor =
    ({ source }: Request) =>
    (intent: Intent): readonly Resource[] => {
      const published = publishedIn(intent.facts)
      return [
        portRules(kernel, source.name, intent, published),
        ...(published.mappings.length > 0 ? [localhostRouting(kernel, published)] : []),
      ]
    }

  return {
    type: 'portmap',
    versions: cniVersions,
    capabilities: ['portMappings'],
    example: { cniVersion: '1.0.0', name: 'example', type: 'portmap', snat: true },
    parse: (config) => lazily(config),

    async add(request) {
      const { wishes, masquerade, markBit } = request.config()
      const { prevResult, signal } = request
      if (prevResult === undefined) {
        throw new CniError(
          'CNI_INVALID_NETWORK_CONFIG',
          'prevResult: it is missing; portmap publishes ports of what a plugin before it in the list has attached',
        )
      }
      const addresses = containerAddresses(prevResult, request)
      const mappings = mappingsFor(wishes, addresses)
      if (mappings.length < wishes.length) {
        context.log.warn('a port is published in no family, or together with another', {
          container: request.containerId,
        })
      }
      if (mappings.length === 0) return prevResult
      const used = addresses.filter((each) => mappings.some(({ address }) => address === each))
      const links = await linksTo(kernel, used)
      const resources = resourcesFor(request)
      return ledger().add(request, (intent) => ({ resources: resources(intent), result: () => prevResult }), {
        facts: factsOf({ mappings, masquerade, markBit, links }),
        // The interface is there, as it must be; what an ADD before has published is published anew.
        exists: async () => false,
        signal,
      })
    },

    async check(request) {
      const asks = mappingsFor(request.config().wishes, containerAddresses(request.prevResult, request))
      if (asks.length === 0 && !(await isRecorded(ledger(), request))) return
      await ledger().check(request, resourcesFor(request))
    },

    async del(request) {
      await ledger().del(request, resourcesFor(request))
    },

    async gc(request) {
      const { validAttachments, source } = request
      const failures: CniError[] = []
      const attempt = (work: Promise<void>) =>
        work.catch((error: unknown) => void failures.push(toCniError(error)))
      await attempt(ledger().gc(validAttachments, resourcesFor(request)))
      const kept = new Set(validAttachments.map((id) => ownChain(source.name, id)))
      await attempt(sweep(kernel, source.name, kept))
      if (failures.length > 0) throw together(failures, `network ${source.name}`)
    },

    async status({ config }) {
      config()
      try {
        await onNode(kernel, ({ nft }) => nft.list())
      } catch (error) {
        if (codeOf(error) !== 'EOPNOTSUPP') throw error
        throw new CniError('CNI_NOT_AVAILABLE', toCniError(error).message, { cause: error })
      }
    },
  }
}

export default portmap

function lazily(config: PluginConfig): LazyConfig {
  let read: PortmapConfig | undefined
  return () => {
    read ??= parsePortmapConfig(config)
    return read
  }
}

/** By which links the node reaches these. One that it has no route to is published all the same: a route may come. */
async function linksTo(kernel: Kernel, addresses: readonly Ip[]): Promise<Published['links']> {
  return onNode(kernel, async ({ routes }) => {
    const links: { ip?: string; ip6?: string } = {}
    for (const address of addresses) {
      try {
        links[familyIn({ address })] = (await routes.lookup({ destination: address })).link
      } catch (error) {
        if (!unroutable.has(codeOf(error) ?? '')) throw error
      }
    }
    return links
  })
}

const unroutable = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EACCES', 'EINVAL'])

async function isRecorded(
  attachments: Attachments,
  { containerId, ifName }: AttachmentRequest,
): Promise<boolean> {
  const intents = await attachments.list()
  return intents.some((each) => each.containerId === containerId && each.ifName === ifName)
}

/** Takes away what the network's attachments have in the table, but for those to keep, whether anything is recorded or not. */
async function sweep(kernel: Kernel, network: string, kept: ReadonlySet<string>): Promise<void> {
  await onNode(kernel, async (node) => {
    for (const chain of await chainsOf(node.nft, network)) {
      if (!kept.has(chain)) await detachListed(node.nft, chain)
    }
    await removeTable(node)
  })
}
