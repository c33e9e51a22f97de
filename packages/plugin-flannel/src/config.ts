import { CniError, type PluginConfig, parseConfig, prefixSchema, refuseKeys } from '@podfabric/cni'
import { type Prefix, prefixFamily, prefixLength } from '@podfabric/netaddr'
import { VXLAN_PORT_LINUX } from '@podfabric/overlay'
import * as v from 'valibot'
import type { HostGwConfig } from './host-gw-backend.ts'
import type { VxlanConfig } from './vxlan-backend.ts'

/** The network's configuration with Flannel's defaults filled in. */
export interface FlannelConfig {
  /** The whole pod network. */
  readonly network: Prefix
  /** Length of a node's prefix. Default 24, for IPv6 64; two more than the network’s where that is longer than 22, 62. */
  readonly subnetLength: number
  readonly backend: VxlanConfig | HostGwConfig
  /** The link between the nodes. Default: the one of the default route, else the only one. */
  readonly interface: string | undefined
  /** Keys for the bridge plugin that attaches the pods. */
  readonly delegate: Readonly<Record<string, unknown>>
}

const integer = (least: number, most: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most))

const vxlan = v.strictObject({
  type: v.literal('vxlan'),
  vni: v.optional(integer(0, 0xff_ffff), 1),
  port: v.optional(integer(1, 65_535), VXLAN_PORT_LINUX),
  directRouting: v.optional(v.boolean(), false),
})

const hostGw = v.strictObject({ type: v.literal('host-gw') })

const schema = v.object({
  network: prefixSchema,
  subnetLength: v.optional(integer(1, 126)),
  backend: v.optional(v.variant('type', [vxlan, hostGw]), { type: 'vxlan' }),
  interface: v.optional(v.pipe(v.string(), v.nonEmpty())),
  delegate: v.optional(v.record(v.string(), v.unknown()), {}),
})

/** Keys of Flannel's own files, whose meaning would be lost without a word. */
const foreign = {
  Network: 'write network',
  SubnetLen: 'write subnetLength',
  SubnetMin: 'every subnet of the network but the first is given',
  SubnetMax: 'every subnet of the network but the first is given',
  Backend: 'write backend, with the keys type, vni, port, directRouting',
  EnableIPv6: 'a network has one family, that of network',
  IPv6Network: 'a network has one family, that of network',
  subnetFile: 'the node’s subnet is in the store',
  dataDir: 'what DEL must know is in the store',
  ipam: 'addresses are those of the node’s subnet',
}

/** Keys of the delegate that follow from the network and must not be written. */
const ours = ['type', 'name', 'cniVersion', 'ipam'] as const

/** Throws CNI_INVALID_NETWORK_CONFIG or CNI_UNSUPPORTED_FIELD, naming the key. */
export function parseFlannelConfig(source: PluginConfig): FlannelConfig {
  refuseKeys(source, foreign)
  const { network, subnetLength, backend, interface: link, delegate } = parseConfig(schema, source)
  for (const key of ours) {
    if (Object.hasOwn(delegate, key)) {
      throw new CniError(
        'CNI_INVALID_NETWORK_CONFIG',
        `delegate.${key}: it follows from the network; leave it out`,
      )
    }
  }
  const longest = prefixFamily(network) === 4 ? 30 : 126
  if (prefixLength(network) >= longest) {
    throw new CniError(
      'CNI_INVALID_NETWORK_CONFIG',
      `network: ${network} is too small to be divided; expected a length below ${longest}`,
    )
  }
  const length = subnetLength ?? defaultSubnetLength(network, longest)
  if (length <= prefixLength(network) || length > longest) {
    throw new CniError(
      'CNI_INVALID_NETWORK_CONFIG',
      `subnetLength: ${length} is no length of a part of ${network}; expected ${prefixLength(network) + 1} to ${longest}`,
    )
  }
  return { network, subnetLength: length, backend, interface: link, delegate }
}

function defaultSubnetLength(network: Prefix, longest: number): number {
  const length = prefixLength(network)
  const usual = prefixFamily(network) === 6 ? 64 : 24
  return Math.min(length > usual - 2 ? length + 2 : usual, longest)
}
