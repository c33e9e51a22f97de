import {
  CniError,
  type JsonObject,
  type PluginConfig,
  parseConfig,
  parsePluginType,
  prefixSchema,
  refuseKeys,
} from '@podfabric/cni'
import { type Prefix, prefixFamily, prefixLength } from '@podfabric/netaddr'
import { VXLAN_PORT_LINUX } from '@podfabric/overlay'
import * as v from 'valibot'
import type { HostGwConfig } from './host-gw-backend.ts'
import type { VxlanConfig } from './vxlan-backend.ts'

export type FlannelConfig = NetworkConfig | DaemonConfig

/** A network of our own with Flannel's defaults filled in: the node's controller leases its subnet. */
export interface NetworkConfig {
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

/** A network of Flannel's daemon, which says in a file what the node has. */
export interface DaemonConfig {
  /** What the daemon writes. Absolute. */
  readonly subnetFile: string
  /** The folder of what containers were attached with, a file for each. Absolute. */
  readonly dataDir: string
  /** The plugin that attaches. */
  readonly type: string
  /** Its keys. */
  readonly delegate: JsonObject
}

export const defaultSubnetFile = '/run/flannel/subnet.env'
export const defaultDataDir = '/var/lib/cni/flannel'

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

/** Keys of the daemon's own configuration, whose meaning would be lost without a word. */
const ofTheDaemon = {
  Network: 'write network',
  SubnetLen: 'write subnetLength',
  SubnetMin: 'every subnet of the network but the first is given',
  SubnetMax: 'every subnet of the network but the first is given',
  Backend: 'write backend, with the keys type, vni, port, directRouting',
  EnableIPv6: 'a network has one family, that of network',
  IPv6Network: 'a network has one family, that of network',
}

/** Keys that have no meaning in a network of our own. */
const besideNetwork = {
  subnetFile: 'the node’s subnet is in the store where there is a network; leave out one of the two',
  dataDir: 'what DEL must know is in the store where there is a network',
  ipam: 'addresses are those of the node’s subnet',
}

/** Keys that have no meaning where Flannel's daemon has made the network. */
const besideDaemon = {
  subnetLength: 'Flannel’s daemon has divided the network; leave it out, or write network',
  backend: 'Flannel’s daemon has made the way between the nodes; leave it out, or write network',
  interface: 'Flannel’s daemon has chosen the link; leave it out, or write network',
}

/** Keys of the delegate that follow from the network and must not be written. */
const ours = ['type', 'name', 'cniVersion', 'ipam'] as const

/**
 * A network of our own where there is `network`, else that of Flannel's daemon, which needs the node's files. Throws
 * CNI_INVALID_NETWORK_CONFIG or CNI_UNSUPPORTED_FIELD, naming the key.
 */
export function parseFlannelConfig(source: PluginConfig, hasFiles = false): FlannelConfig {
  refuseKeys(source, ofTheDaemon)
  if (hasFiles && source.network === undefined) return parseDaemonConfig(source)
  refuseKeys(
    source,
    hasFiles ? besideNetwork : { ...besideNetwork, subnetFile: 'there are no files here: write network' },
  )
  return parseNetworkConfig(source)
}

/** Empty is "not given". */
const path = v.pipe(v.string(), v.regex(/^(\/[^\0]*)?$/, 'expected an absolute path'))

const daemonSchema = v.object({
  subnetFile: v.optional(path, ''),
  dataDir: v.optional(path, ''),
  delegate: v.nullish(
    v.looseObject({
      type: v.optional(v.string(), 'bridge'),
      name: v.optional(v.undefined('expected none: it is the network’s')),
      ipam: v.optional(v.undefined('expected none: write ipam beside delegate')),
    }),
    {},
  ),
  ipam: v.optional(v.looseObject({ routes: v.optional(v.array(v.looseObject({}))) })),
})

function parseDaemonConfig(source: PluginConfig): DaemonConfig {
  refuseKeys(source, besideDaemon)
  const { subnetFile, dataDir, delegate } = parseConfig(daemonSchema, source)
  const { type, name, ipam, ...keys } = delegate
  if (type === 'flannel') {
    throw new CniError('CNI_INVALID_NETWORK_CONFIG', 'delegate.type: flannel delegates to another plugin')
  }
  return {
    subnetFile: subnetFile || defaultSubnetFile,
    dataDir: dataDir || defaultDataDir,
    type: parsePluginType(type, 'delegate.type'),
    // Parsed from JSON, so its values are.
    delegate: keys as JsonObject,
  }
}

function parseNetworkConfig(source: PluginConfig): NetworkConfig {
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
