import type { AddResult, Ip, ResultIp, ResultRoute } from '@podfabric/cni'
import {
  addressAt,
  addressOf,
  contains,
  familyOf,
  type IfAddress,
  ifAddressFrom,
  prefix,
  prefixFamily,
  prefixLength,
  prefixOf,
} from '@podfabric/netaddr'
import type { BridgeConfig } from './config.ts'

/** An address of the container and the gateway it leaves by, if it has one. */
export interface GatewayedIp extends ResultIp {
  readonly gateway?: Ip
}

/**
 * The addresses that IPAM gave, each with its gateway: where the bridge is the gateway and IPAM named none, the first address of the
 * subnet.
 */
export function withGateways(ips: readonly ResultIp[], { isGateway }: BridgeConfig): readonly GatewayedIp[] {
  if (!isGateway) return ips
  return ips.map((each) => (each.gateway ? each : { ...each, gateway: firstOf(each.address) }))
}

/** The gateway's address as the bridge has it. */
export function bridgeAddresses(ips: readonly GatewayedIp[]): readonly IfAddress[] {
  const addresses = ips.flatMap(({ address, gateway }) =>
    gateway && contains(address, gateway) ? [ifAddressFrom(gateway, prefixLength(address))] : [],
  )
  return [...new Set(addresses)]
}

/** The container's routes: those of IPAM with their gateway filled in, then a default route to each gateway where asked for. */
export function routesOf(
  given: AddResult,
  ips: readonly GatewayedIp[],
  config: BridgeConfig,
): readonly ResultRoute[] {
  const gatewayFor = (family: 4 | 6) =>
    ips.find(({ gateway }) => gateway && familyOf(gateway) === family)?.gateway
  const defaults = config.isDefaultGateway
    ? [prefix('0.0.0.0/0'), prefix('::/0')].flatMap((destination) => {
        const gateway = gatewayFor(prefixFamily(destination))
        const isThere = given.routes.some((route) => route.destination === destination)
        return gateway && !isThere ? [{ destination, gateway }] : []
      })
    : []
  const filled = given.routes.map((route): ResultRoute => {
    const gateway = route.gateway ?? gatewayFor(prefixFamily(route.destination))
    return gateway ? { ...route, gateway } : route
  })
  return [...filled, ...defaults]
}

function firstOf(address: IfAddress): Ip {
  const network = prefixOf(address)
  // In a network of one or two addresses there is no address to leave out.
  return prefixLength(network) >= (prefixFamily(network) === 4 ? 31 : 127)
    ? addressOf(address)
    : addressAt(network, 1)
}
