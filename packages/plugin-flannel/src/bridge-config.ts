import { cniVersions, type Json, type PluginConfig } from '@podfabric/cni'
import { type Prefix, prefixFamily } from '@podfabric/netaddr'
import type { FlannelConfig } from './config.ts'
import type { NodeRecord } from './node-record.ts'

export const bridgeVersions = cniVersions

/**
 * What the bridge plugin is given: a bridge that is the pods' gateway in the node's subnet, and addresses from that subnet. The
 * network's own keys `delegate` come last and win.
 */
export function bridgeConfig(source: PluginConfig, config: FlannelConfig, node: NodeRecord): PluginConfig {
  const { cniVersion, name, runtimeConfig } = source
  return {
    cniVersion,
    name,
    ...(runtimeConfig && { runtimeConfig }),
    bridge: 'cni0',
    isDefaultGateway: true,
    ipMasq: false,
    hairpinMode: true,
    mtu: node.mtu,
    // Parsed from JSON, so its values are.
    ...(config.delegate as Readonly<Record<string, Json>>),
    type: 'bridge',
    ipam: {
      type: 'host-local',
      ranges: [[{ subnet: node.subnet }]],
      routes: [{ dst: config.network }, { dst: defaultRoute(node.subnet) }],
    },
  }
}

function defaultRoute(subnet: Prefix): string {
  return prefixFamily(subnet) === 4 ? '0.0.0.0/0' : '::/0'
}
