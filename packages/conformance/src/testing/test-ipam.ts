import {
  type AttachmentRequest,
  CniError,
  cniVersions,
  type Plugin,
  type PluginConfig,
  type PluginContext,
} from '@podfabric/cni'
import { type Allocator, allocator, type Owner } from '@podfabric/ipam'
import { isPrefix, type Prefix, parsePrefix } from '@podfabric/netaddr'

/** One address of each of these. */
interface IpamConfig {
  readonly subnets: readonly Prefix[]
}

/**
 * An IPAM plugin, `test-ipam`, for the tests of plugins that delegate: gives one address of each of `ipam.subnets`. Not for
 * networks.
 */
export function testIpam({ store, clock }: PluginContext): Plugin<IpamConfig> {
  let opened: Promise<Allocator> | undefined
  const addresses = ({ config }: { readonly config: IpamConfig }): Promise<Allocator> => {
    opened ??= allocator(store, {
      pools: config.subnets.map((subnet, index) => ({ name: `pool-${index}`, ranges: [{ subnet }] })),
      clock,
    })
    return opened
  }
  return {
    type: 'test-ipam',
    versions: cniVersions,
    example: {
      cniVersion: '1.1.0',
      name: 'example',
      type: 'test',
      ipam: { type: 'test-ipam', subnets: ['10.0.0.0/24'] },
    },
    parse,
    async add(request) {
      const given = await (await addresses(request)).allocate(ownerOf(request))
      const ips = given.addresses.map(({ address, gateway }) => ({ address, ...(gateway && { gateway }) }))
      return { interfaces: [], ips, routes: [] }
    },
    async check(request) {
      if (await (await addresses(request)).get(ownerOf(request))) return
      throw new CniError('CNI_CHECK_FAILED', 'it holds no address')
    },
    async del(request) {
      await (await addresses(request)).release(ownerOf(request))
    },
    async gc(request) {
      const own = await addresses(request)
      await own.collect(request.source.name, { valid: request.validAttachments, asOf: await own.revision() })
    },
    async status(request) {
      const pools = (await addresses(request)).status()
      if (pools.some(({ allocated, capacity }) => allocated >= capacity)) {
        throw new CniError('CNI_NOT_AVAILABLE', 'all addresses are in use')
      }
    },
  }
}

function parse({ ipam }: PluginConfig): IpamConfig {
  const subnets: unknown = ipam?.subnets
  if (
    Array.isArray(subnets) &&
    subnets.every((each): each is string => typeof each === 'string' && isPrefix(each))
  ) {
    return { subnets: subnets.map(parsePrefix) }
  }
  throw new CniError(
    'CNI_INVALID_NETWORK_CONFIG',
    'ipam.subnets: expected a list of prefixes such as 10.0.0.0/24',
  )
}

function ownerOf({ source, containerId, ifName }: AttachmentRequest): Owner {
  return { network: source.name, containerId, ifName }
}
