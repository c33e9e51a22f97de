import { CniError, type PluginConfig, parseConfig, prefixSchema } from '@podfabric/cni'
import { type Prefix, prefixFamily, prefixLength } from '@podfabric/netaddr'
import { VXLAN_PORT_LINUX } from '@podfabric/overlay'
import * as v from 'valibot'
import type { HostGwConfig } from './host-gw-backend.ts'
import type { VxlanConfig } from './vxlan-backend.ts'

/** The network's configuration with Flannel's defaults filled in. */
export interface FlannelConfig {
  /** The whole pod network. */
  readonly network: Prefix
  /** Length of a node's prefix. Default 24, or two more than the network's where that is longer than 22; 64 for IPv6. */
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

/** Keys of the delegate that follow from the network and must not be written. */
const ours = ['type', 'name', 'cniVersion', 'ipam'] as const

export function parseFlannelConfig(source: PluginConfig): FlannelConfig {
  const { network, subnetLength, backend, interface: link, delegate } = parseConfig(schema, source)
  for (const key of ours) {
    if (Object.hasOwn(delegate, key)) {
      throw new CniError(
        'CNI_INVALID_NETWORK_CONFIG',
        `delegate.${key}: it follows from the network; leave it out`,
      )
    }
  }
  const length = subnetLength ?? defaultSubnetLength(network)
  if (length <= prefixLength(network)) {
    throw new CniError(
      'CNI_INVALID_NETWORK_CONFIG',
      `subnetLength: a subnet of length ${length} is not a part of ${network}; expected more than ${prefixLength(network)}`,
    )
  }
  return { network, subnetLength: length, backend, interface: link, delegate }
}

function defaultSubnetLength(network: Prefix): number {
  if (prefixFamily(network) === 6) return 64
  return prefixLength(network) > 22 ? prefixLength(network) + 2 : 24
}
