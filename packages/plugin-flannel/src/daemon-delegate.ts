import type { Json, JsonObject, PluginConfig } from '@podfabric/cni'
import { ofTheCall } from './bridge-config.ts'
import type { DaemonConfig } from './config.ts'
import type { SubnetFile } from './subnet-file.ts'

/**
 * What the delegate is given where Flannel's daemon says what the node has, as Flannel's own plugin makes it: the keys under
 * `delegate`, completed by the node's MTU and masquerading; `ipam` with the node's subnets and a route to each network. Of
 * the request itself only what belongs to the call and to every plugin is handed on.
 */
export function daemonDelegate(source: PluginConfig, config: DaemonConfig, node: SubnetFile): PluginConfig {
  const { args, dns, ipam } = source
  const { type } = config
  const routes = Array.isArray(ipam?.routes) ? ipam.routes : []
  return {
    ...given({ dns, args }),
    ipMasq: !node.ipMasq,
    mtu: node.mtu,
    ...(type === 'bridge' && { isGateway: true }),
    ...config.delegate,
    cniVersion: source.cniVersion,
    name: source.name,
    type,
    ...ofTheCall(source),
    ipam: {
      ...ipam,
      type: ipam?.type ?? defaultIpam,
      ranges: node.subnets.map((subnet) => [{ subnet }]),
      routes: [...routes, ...node.networks.map((dst) => ({ dst }))],
    },
  }
}

/** The plugin that gives addresses where `ipam` names none. */
export const defaultIpam = 'host-local'

function given(keys: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(keys).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  )
}
