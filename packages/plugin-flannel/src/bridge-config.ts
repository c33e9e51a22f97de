import { cniVersions, type Json, type JsonObject, type PluginConfig } from '@podfabric/cni'
import { type Prefix, prefixFamily } from '@podfabric/netaddr'
import type { NetworkConfig } from './config.ts'
import type { NodeRecord } from './node-record.ts'

export const bridgeVersions = cniVersions

/**
 * What the bridge plugin is given: the request as it came, but for the network's own keys, asking for a bridge that is the pods'
 * gateway in the node's subnet, and for addresses of that subnet. The keys under `delegate` win.
 */
export function bridgeConfig(source: PluginConfig, config: NetworkConfig, node: NodeRecord): PluginConfig {
  const { network, subnetLength, backend, interface: underlay, delegate, ...request } = source
  return {
    ...request,
    bridge: 'cni0',
    isDefaultGateway: true,
    ipMasq: false,
    hairpinMode: true,
    mtu: node.mtu,
    // Parsed from JSON, so its values are.
    ...(config.delegate as Readonly<Record<string, Json>>),
    cniVersion: source.cniVersion,
    name: source.name,
    type: 'bridge',
    ipam: {
      type: 'host-local',
      ranges: [[{ subnet: node.subnet }]],
      routes: [{ dst: config.network }, { dst: defaultRoute(node.subnet) }],
    },
  }
}

/** The saved configuration of an attachment, with what this request alone has. A `prevResult` is of the request's version. */
export function savedConfig(saved: PluginConfig, source: PluginConfig): PluginConfig {
  return { ...saved, cniVersion: source.cniVersion, ...ofTheCall(source) }
}

/** The keys of a configuration that a runtime puts in for one call. */
export function ofTheCall(source: PluginConfig): JsonObject {
  return Object.fromEntries(
    Object.entries(source).filter(
      (entry): entry is [string, Json] =>
        entry[1] !== undefined &&
        (/^(prevResult|runtimeConfig)$/.test(entry[0]) || entry[0].startsWith('cni.dev/')),
    ),
  )
}

function defaultRoute(subnet: Prefix): string {
  return prefixFamily(subnet) === 4 ? '0.0.0.0/0' : '::/0'
}
