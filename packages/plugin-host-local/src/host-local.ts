import {
  type AddRequest,
  type AddResult,
  type AttachmentRequest,
  CniError,
  cniVersions,
  type Ip,
  type Plugin,
  type PluginContext,
  type PluginFactory,
  parseConfig,
  toCniError,
  together,
} from '@podfabric/cni'
import { type Allocation, type Allocator, adopt, allocator, type Owner } from '@podfabric/ipam'
import { addressOf } from '@podfabric/netaddr'
import { scoped } from '@podfabric/store'
import { anyInterface } from './address-file.ts'
import { type HostLocalConfig, parseHostLocalConfig, requestedIp } from './config.ts'
import type { NodeFiles } from './node-files.ts'
import { readResolvConf } from './resolv-conf.ts'
import { takeover } from './takeover.ts'

/**
 * Gives addresses of ranges that belong to this node alone: other plugins call it as their IPAM. ADD for an interface that has
 * addresses gives the same again. What is given is in the network's store, apart for each node.
 */
export function hostLocal(context: PluginContext): Plugin<HostLocalConfig> {
  return make(context, undefined)
}

/** host-local with the node's files: it takes over the addresses that the containernetworking host-local gave, and reads `resolvConf`. */
export function hostLocalOn(files: NodeFiles): PluginFactory<HostLocalConfig> {
  return (context) => make(context, files)
}

function make(
  { store, clock, log, node }: PluginContext,
  files: NodeFiles | undefined,
): Plugin<HostLocalConfig> {
  const own = () => scoped(store, `host-local/${encodeURIComponent(node.name)}/`)
  /** Allocators follow the store, so that a call costs the same however full a range is. One for each configuration. */
  const staying = new Map<string, Promise<Allocator>>()

  let over: ReturnType<typeof takeover> | undefined
  const taken = () => {
    if (files !== undefined) over ??= takeover({ files, store: own(), clock, log })
    return over
  }

  const stay = ({ pools }: HostLocalConfig): Promise<Allocator> => {
    const key = JSON.stringify(pools)
    const known = staying.get(key)
    if (known !== undefined) return known
    const opened = allocator(own(), { pools, clock })
    staying.set(key, opened)
    opened.catch(() => staying.delete(key))
    return opened
  }

  const withAllocator = async <T>(
    config: HostLocalConfig,
    network: string,
    work: (addresses: Allocator) => Promise<T>,
  ): Promise<T> => {
    await taken()?.follow(config, network)
    if (!config.passing) return work(await stay(config))
    const opened = await allocator(own(), { pools: config.pools, clock })
    try {
      return await work(opened)
    } finally {
      await opened.close()
    }
  }

  return {
    type: 'host-local',
    versions: cniVersions,
    capabilities: ['ips', 'ipRanges'],
    example: {
      cniVersion: '1.0.0',
      name: 'example',
      type: 'bridge',
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.88.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
    parse: (config) => parseHostLocalConfig(config, files !== undefined),

    async add(request) {
      const { config, source } = request
      // Read first: without the file, nothing is given.
      const dns = files && config.resolvConf && (await readResolvConf(files, config.resolvConf))
      const allocation = await withAllocator(config, source.name, (addresses) =>
        addresses.allocate(ownerOf(request), { requested: requestedBy(request) }),
      )
      return { ...resultOf(allocation, config), ...(dns && { dns }) }
    },

    async check(request) {
      const { config, source } = request
      const held = await withAllocator(
        config,
        source.name,
        async (addresses) =>
          (await addresses.get(ownerOf(request))) ??
          (await addresses.get({ ...ownerOf(request), ifName: anyInterface })),
      )
      // A routed network tells its pods' addresses without their subnet.
      const listed = new Set(request.prevResult.ips.map(({ address }) => addressOf(address)))
      const { containerId, ifName } = request
      if (held === undefined) {
        throw new CniError(
          'CNI_CHECK_FAILED',
          `container ${containerId}, interface ${ifName} holds no address`,
        )
      }
      for (const { address } of held.addresses) {
        if (listed.has(addressOf(address))) continue
        throw new CniError(
          'CNI_CHECK_FAILED',
          `container ${containerId}, interface ${ifName} holds ${address}, which prevResult does not list`,
        )
      }
    },

    async del(request) {
      const { config, source } = request
      const owner = ownerOf(request)
      await withAllocator(config, source.name, async (addresses) => {
        const nameless = { ...owner, ifName: anyInterface }
        const holds = (await addresses.get(owner)) ?? (await addresses.get(nameless))
        // The file goes first: while it is there, nobody else has the address.
        await taken()?.remove(config, owner, holds?.addresses.map(({ address }) => addressOf(address)) ?? [])
        await addresses.release(holds?.owner ?? owner)
      })
    },

    async gc({ config, source, validAttachments }) {
      const { failed } = await withAllocator(config, source.name, async (addresses) => {
        const asOf = await addresses.revision()
        await taken()?.collect(config, source.name, validAttachments)
        const nameless = validAttachments.map(({ containerId }) => ({ containerId, ifName: anyInterface }))
        return addresses.collect(source.name, { valid: [...validAttachments, ...nameless], asOf })
      })
      const failures = failed.map(({ owner, error }) =>
        toCniError(error, `addresses of container ${owner.containerId}, interface ${owner.ifName}`),
      )
      if (failures.length > 0) throw together(failures, 'collecting addresses')
    },

    async rebuild({ config: { pools }, source: { name: network }, found }) {
      for (const { containerId, ifName, addresses } of found) {
        const held = [...new Set(addresses.map(addressOf))]
        if (held.length === 0) continue
        const outcome = await adopt(own(), { pools, clock }, { network, containerId, ifName }, held)
        if (outcome === 'taken') {
          const facts = { network, containerId, ifName, addresses }
          log.error('a container has addresses that are recorded for another', facts)
        }
      }
    },

    async status({ config, source }) {
      await withAllocator(config, source.name, async (addresses) => {
        const full = addresses.status().find(({ allocated, capacity }) => allocated >= capacity)
        if (full === undefined) return
        const pool = config.pools.find(({ name }) => name === full.name)
        const subnets = pool?.ranges.map(({ subnet }) => subnet).join(', ')
        throw new CniError('CNI_NOT_AVAILABLE', `all ${full.capacity} addresses of ${subnets} are in use`, {
          details: 'remove containers, or widen the range',
        })
      })
    },
  }
}

export default hostLocal

function ownerOf({ source, containerId, ifName }: AttachmentRequest): Owner {
  return { network: source.name, containerId, ifName }
}

/** CONVENTIONS.md: `args` wins over the deprecated CNI_ARGS. */
function requestedBy({ config, args }: AddRequest<HostLocalConfig>): readonly Ip[] {
  if (config.requested.length > 0 || !args.IP) return config.requested
  return [parseConfig(requestedIp, args.IP, 'CNI_ARGS IP')]
}

/** The short result of an IPAM plugin (SPEC 1.1.0, section 4): no interfaces. */
function resultOf({ addresses }: Allocation, { routes }: HostLocalConfig): AddResult {
  return {
    interfaces: [],
    ips: addresses.map(({ address, gateway }) => ({ address, ...(gateway && { gateway }) })),
    routes,
  }
}
