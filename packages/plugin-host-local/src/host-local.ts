import {
  type AddRequest,
  type AddResult,
  type AttachmentRequest,
  CniError,
  cniVersions,
  type Ip,
  ipSchema,
  type Plugin,
  type PluginContext,
  parseConfig,
  toCniError,
  together,
} from '@podfabric/cni'
import { type Allocation, type Allocator, allocator, type Owner } from '@podfabric/ipam'
import { addressOf } from '@podfabric/netaddr'
import { scoped } from '@podfabric/store'
import { type HostLocalConfig, parseHostLocalConfig } from './config.ts'

/**
 * Gives addresses of ranges that belong to this node alone: other plugins call it as their IPAM. ADD for an interface that has
 * addresses gives the same again. What is given is in the network's store, apart for each node.
 */
export function hostLocal({ store, clock, log, node }: PluginContext): Plugin<HostLocalConfig> {
  const own = () => scoped(store, `host-local/${encodeURIComponent(node.name)}/`)
  /** Allocators follow the store, so that a call costs the same however full a range is. One for each configuration. */
  const staying = new Map<string, Promise<Allocator>>()

  const stay = ({ pools, ignored }: HostLocalConfig): Promise<Allocator> => {
    const key = JSON.stringify(pools)
    const known = staying.get(key)
    if (known !== undefined) return known
    for (const name of ignored) log.warn(`${name} has no effect: addresses are kept in the network's store`)
    const opened = allocator(own(), { pools, clock })
    staying.set(key, opened)
    opened.catch(() => staying.delete(key))
    return opened
  }

  const withAllocator = async <T>(
    config: HostLocalConfig,
    work: (addresses: Allocator) => Promise<T>,
  ): Promise<T> => {
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
    parse: parseHostLocalConfig,

    async add(request) {
      const allocation = await withAllocator(request.config, (addresses) =>
        addresses.allocate(ownerOf(request), { requested: requestedBy(request) }),
      )
      return resultOf(allocation, request.config)
    },

    async check(request) {
      const held = await withAllocator(request.config, (addresses) => addresses.get(ownerOf(request)))
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
      await withAllocator(request.config, (addresses) => addresses.release(ownerOf(request)))
    },

    async gc({ config, source, validAttachments }) {
      const { failed } = await withAllocator(config, async (addresses) =>
        addresses.collect(source.name, { valid: validAttachments, asOf: await addresses.revision() }),
      )
      const failures = failed.map(({ owner, error }) =>
        toCniError(error, `addresses of container ${owner.containerId}, interface ${owner.ifName}`),
      )
      if (failures.length > 0) throw together(failures, 'collecting addresses')
    },

    async status({ config }) {
      await withAllocator(config, async (addresses) => {
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
  return [parseConfig(ipSchema, args.IP, 'CNI_ARGS IP')]
}

/** The short result of an IPAM plugin (SPEC 1.1.0, section 4): no interfaces. */
function resultOf({ addresses }: Allocation, { routes }: HostLocalConfig): AddResult {
  return {
    interfaces: [],
    ips: addresses.map(({ address, gateway }) => ({ address, ...(gateway && { gateway }) })),
    routes,
  }
}
