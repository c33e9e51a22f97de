import {
  CniError,
  type Mac,
  macSchema,
  type PluginConfig,
  parseConfig,
  type ResultDns,
  refuseKeys,
} from '@podfabric/cni'
import * as v from 'valibot'

/** What bridge reads of a network's configuration. */
export interface BridgeConfig {
  /** The bridge's name. */
  readonly bridge: string
  /** Whether the bridge has the gateway's address, and the node forwards. */
  readonly isGateway: boolean
  /** Whether the gateway is the container's default route. */
  readonly isDefaultGateway: boolean
  /** Whether packets that leave the subnet carry the node's address. */
  readonly ipMasq: boolean
  /** Whether a frame may return through the port it came from. */
  readonly hairpinMode: boolean
  /** Whether containers on the bridge cannot reach each other, but only the node. */
  readonly portIsolation: boolean
  /** Octets; undefined leaves it to the kernel. */
  readonly mtu: number | undefined
  /** The plugin that gives addresses; undefined for a network without any. */
  readonly ipam: string | undefined
  /** Whether the container's interface stays down, for somebody else to set it up. Never with IPAM. */
  readonly disableContainerInterface: boolean
  readonly dns: ResultDns | undefined
  /** The container's MAC address, asked for by capability `mac` or `args.cni.mac`. */
  readonly mac: Mac | undefined
}

const flag = v.exactOptional(v.boolean(), false)

const linkName = v.pipe(
  v.string(),
  v.regex(
    /^(?!\.{1,2}$)[^/:\s]{1,15}$/u,
    'expected the name of a link: 1 to 15 characters without / and white space',
  ),
)

const schema = v.object({
  bridge: v.exactOptional(linkName, 'cni0'),
  isGateway: flag,
  isDefaultGateway: flag,
  ipMasq: flag,
  hairpinMode: flag,
  portIsolation: flag,
  disableContainerInterface: flag,
  // Of a port's VLAN, and there is none.
  preserveDefaultVlan: flag,
  // Below 1280 IPv6 does not work (RFC 8200, section 5); 68 is the least for IPv4 (RFC 791). 0 is "not given".
  mtu: v.exactOptional(
    v.pipe(
      v.number(),
      v.integer(),
      v.check((mtu) => mtu === 0 || (mtu >= 68 && mtu <= 65_535), 'expected 0, or a number from 68 to 65535'),
    ),
    0,
  ),
  dns: v.exactOptional(
    v.object({
      nameservers: v.exactOptional(v.array(v.string())),
      domain: v.exactOptional(v.string()),
      search: v.exactOptional(v.array(v.string())),
      options: v.exactOptional(v.array(v.string())),
    }),
  ),
  ipMasqBackend: v.exactOptional(
    v.picklist(['nftables'], 'expected "nftables", the only one there is: leave it out'),
  ),
  runtimeConfig: v.exactOptional(v.object({ mac: v.exactOptional(macSchema) }), {}),
  args: v.exactOptional(
    v.object({ cni: v.exactOptional(v.object({ mac: v.exactOptional(macSchema) }), {}) }),
    {},
  ),
})

const unsupported = {
  forceAddress: 'take the other address off the bridge by hand: one that is not ours is never taken away',
  promiscMode: 'use hairpinMode',
  vlan: 'VLANs are not implemented: use a bridge for each network',
  vlanTrunk: 'VLANs are not implemented: use a bridge for each network',
  macspoofchk: 'leave it out, and filter with nftables in a table of your own',
  enabledad: 'leave it out: IPAM sees to it that an address is given once',
}

/** Throws CNI_INVALID_NETWORK_CONFIG or CNI_UNSUPPORTED_FIELD, naming the key. */
export function parseBridgeConfig(config: PluginConfig): BridgeConfig {
  refuseKeys(config, unsupported)
  const { mtu, dns, runtimeConfig, args, isGateway, ipMasqBackend, preserveDefaultVlan, ...flags } =
    parseConfig(schema, config)
  if (flags.disableContainerInterface && config.ipam) {
    throw new CniError(
      'CNI_INVALID_NETWORK_CONFIG',
      'disableContainerInterface: an interface that stays down takes no addresses; leave ipam out',
    )
  }
  return {
    ...flags,
    isGateway: isGateway || flags.isDefaultGateway,
    mtu: mtu === 0 ? undefined : mtu,
    ipam: config.ipam?.type,
    dns,
    mac: runtimeConfig.mac ?? args.cni?.mac,
  }
}
