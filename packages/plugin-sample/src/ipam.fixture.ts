import {
  type AttachmentRequest,
  CniError,
  cniVersions,
  type Plugin,
  type PluginContext,
  parseConfig,
  prefixSchema,
} from '@podfabric/cni'
import { type Allocator, allocator, type Owner } from '@podfabric/ipam'
import * as v from 'valibot'

const schema = v.object({ ipam: v.object({ subnets: v.array(prefixSchema) }) })

type IpamConfig = v.InferOutput<typeof schema>

/** Addresses for the tests: one of each of `ipam.subnets`. */
export function testIpam({ store, clock }: PluginContext): Plugin<IpamConfig> {
  let opened: Promise<Allocator> | undefined
  const addresses = ({ config }: { readonly config: IpamConfig }): Promise<Allocator> => {
    opened ??= allocator(store, {
      pools: config.ipam.subnets.map((subnet, index) => ({ name: `pool-${index}`, ranges: [{ subnet }] })),
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
    parse: (config) => parseConfig(schema, config),
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

function ownerOf({ source, containerId, ifName }: AttachmentRequest): Owner {
  return { network: source.name, containerId, ifName }
}
