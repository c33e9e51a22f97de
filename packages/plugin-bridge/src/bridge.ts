import {
  type AddResult,
  type AttachmentPlan,
  type Attachments,
  attachmentsOf,
  CniError,
  cniVersions,
  hasInterface,
  type Intent,
  inSandbox,
  ipamResource,
  macSchema,
  mergeResults,
  type Plugin,
  type PluginContext,
  parseConfig,
  type Request,
  type Resource,
  toCniError,
  together,
} from '@podfabric/cni'
import { prefixOf } from '@podfabric/netaddr'
import { bridgeLink, removeBridge } from './bridge-link.ts'
import { type BridgeConfig, parseBridgeConfig } from './config.ts'
import { type ContainerNetwork, containerNetwork } from './container-network.ts'
import { foreignPair } from './foreign-pair.ts'
import { bridgeAddresses, routesOf, withGateways } from './gateway.ts'
import { masquerade, removeMasquerade } from './masquerade.ts'
import { sweepPairs, vethPair } from './veth-pair.ts'

/**
 * The single-machine network: one bridge, one veth pair for each container, the node as gateway, and the node's address for
 * what leaves. Nothing is learned from other nodes or told to them.
 */
export function bridge(context: PluginContext): Plugin<BridgeConfig> {
  const { kernel } = context
  let attachments: Attachments | undefined

  /** A plugin is made for one network, whose name comes with its first request. */
  const attachmentsFor = ({ source: { name } }: Request): Attachments => {
    attachments ??= attachmentsOf({
      ...context,
      type: 'bridge',
      idle: async () => {
        await removeMasquerade(kernel, name)
        await removeBridge(kernel, name)
      },
    })
    return attachments
  }

  return {
    type: 'bridge',
    versions: cniVersions,
    capabilities: ['mac', 'ips', 'ipRanges'],
    example: {
      cniVersion: '1.0.0',
      name: 'example',
      type: 'bridge',
      isDefaultGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', subnet: '10.88.0.0/16' },
    },
    parse: parseBridgeConfig,

    async add(request) {
      // Refused before anything is recorded where there is nothing to attach to; and open all along, so that each resource
      // finds it so.
      const made = await inSandbox(kernel, request.netns, () =>
        attachmentsFor(request).add(request, (intent) => planOf(context, request, intent), {
          exists: ({ netns, ifName }) => hasInterface(kernel, netns, ifName),
          signal: request.signal,
        }),
      )
      return mergeResults(request.prevResult, made)
    },

    async check(request) {
      const checked = listedFor(request.prevResult, request)
      await attachmentsFor(request).check(
        request,
        (intent) => planOf(context, request, intent, checked).resources,
        (intent) => foreignList(context, request, intent, checked),
      )
    },

    async del(request) {
      await attachmentsFor(request).del(
        request,
        (intent) => planOf(context, request, intent).resources,
        (intent) => [foreignPair(kernel, intent, request.config.bridge, request.prevResult)],
      )
    },

    async gc(request) {
      const { validAttachments, source, config } = request
      const failures: CniError[] = []
      const attempt = (work: Promise<void>) =>
        work.catch((error: unknown) => void failures.push(toCniError(error)))
      await attempt(sweepPairs(kernel, source.name, validAttachments))
      await attempt(
        attachmentsFor(request).gc(validAttachments, (intent) => planOf(context, request, intent).resources),
      )
      const { ipam } = config
      if (ipam !== undefined) await attempt((async () => context.delegate(ipam).gc(request))())
      if (failures.length > 0) throw together(failures, `network ${source.name}`)
    },

    rebuild: (request) => attachmentsFor(request).rebuild(request.found),

    async status(request) {
      const { ipam } = request.config
      if (ipam !== undefined) await context.delegate(ipam).status(request)
    },
  }
}

export default bridge

type PlannedRequest = Request<BridgeConfig> & {
  readonly prevResult?: AddResult
  readonly args?: Readonly<Record<string, string>>
}

/** `checked` is what to look for instead of what IPAM gives. */
function planOf(
  context: PluginContext,
  request: PlannedRequest,
  intent: Intent,
  checked?: ContainerNetwork,
): AttachmentPlan {
  const { kernel } = context
  const { config, source } = request
  const { ipam: type } = config
  const addresses =
    type === undefined ? undefined : ipamResource(() => context.delegate(type), request, intent)
  const wanted = (): ContainerNetwork => {
    if (checked !== undefined) return checked
    if (addresses === undefined) return { ips: [], routes: [] }
    const ips = withGateways(addresses.result.ips, config)
    return { ips, routes: routesOf(addresses.result, ips, config) }
  }
  const link = bridgeLink(context, source.name, config, () => bridgeAddresses(wanted().ips))
  const mac = request.args?.MAC ? parseConfig(macSchema, request.args.MAC, 'CNI_ARGS MAC') : undefined
  const pair = vethPair(kernel, source.name, intent, { ...config, mac: config.mac ?? mac })
  const subnets = () => [...new Set(wanted().ips.map(({ address }) => prefixOf(address)))]
  return {
    resources: [
      ...(addresses ? [addresses] : []),
      link,
      ...(config.ipMasq ? [masquerade(kernel, source.name, config.bridge, subnets)] : []),
      pair,
      containerNetwork(kernel, intent, config, wanted),
    ],
    result() {
      const { ips, routes } = wanted()
      const dns = config.dns ?? addresses?.result.dns
      const interfaces = [link.interface, ...pair.interfaces]
      const inside = interfaces.length - 1
      return {
        interfaces,
        ips: ips.map((each) => ({ ...each, interface: inside })),
        routes,
        ...(dns && { dns }),
      }
    },
  }
}

/** What CHECK looks for where another implementation attached: not its masquerading, which has no words here. */
function foreignList(
  context: PluginContext,
  request: PlannedRequest,
  intent: Intent,
  checked: ContainerNetwork,
): readonly Resource[] {
  const { kernel } = context
  const { config, source, prevResult } = request
  const { ipam: type } = config
  return [
    ...(type === undefined ? [] : [ipamResource(() => context.delegate(type), request, intent)]),
    bridgeLink(context, source.name, config, () => bridgeAddresses(checked.ips)),
    foreignPair(kernel, intent, config.bridge, prevResult),
    containerNetwork(kernel, intent, config, () => checked),
  ]
}

/** What a result lists for the interface of an attachment. */
function listedFor(
  { interfaces, ips, routes }: AddResult,
  { ifName, netns }: { readonly ifName: string; readonly netns: string },
): ContainerNetwork {
  const index = interfaces.findIndex(({ name, sandbox }) => name === ifName && sandbox === netns)
  if (index < 0) {
    throw new CniError('CNI_CHECK_FAILED', `prevResult lists no interface ${ifName} in ${netns}`)
  }
  return { ips: ips.filter((each) => each.interface === index), routes }
}
