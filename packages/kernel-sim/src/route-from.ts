import { KernelError, type Route } from '@podfabric/kernel'
import {
  type Ip,
  type Ipv4,
  type Ipv6,
  ipToBytes,
  ipv4ToNumber,
  ipv6ToWords,
  isLinkLocal,
  isUnspecified,
  isV4,
  prefixFamily,
} from '@podfabric/netaddr'
import type { Device } from './device.ts'
import { hasIpv6 } from './ipv6-autoconf.ts'
import { linkNamed } from './link-operations.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { PROTOCOL_BOOT, RouteEntry, TABLE_MAIN } from './route-entry.ts'
import { routeError } from './route-error.ts'

const METRIC6 = 1024
const UNSPECIFIED = new Uint8Array(16)
const DROPS: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw'])

/**
 * A route as it will be: defaults settled, its link found. Refused as Linux refuses: ENODEV, ENETDOWN, EINVAL, and
 * ENETUNREACH (IPv4) or EHOSTUNREACH (IPv6) for a gateway that is on no link.
 */
export function routeFrom(netns: NetworkNamespace, route: Route, operation: string): RouteEntry {
  const { destination, type = 'unicast', gateway, table = TABLE_MAIN, mtu, advmss } = route
  // The unspecified address is no preference.
  const source = route.source && isUnspecified(route.source) ? undefined : route.source
  const family = prefixFamily(destination)
  const refuse = (reason: string): KernelError => new KernelError('EINVAL', operation, reason)
  for (const ip of [gateway, source]) {
    if (ip !== undefined && isV4(ip) !== (family === 4)) throw refuse(`${ip} is of another family`)
  }
  const metric = route.metric || (family === 4 ? 0 : METRIC6)
  const { onlink, protocol = PROTOCOL_BOOT } = route
  const common = { destination, type, metric, table, mtu, advmss, onlink, protocol }
  const named = route.link === undefined ? undefined : linkNamed(netns, route.link, operation)
  if (family === 6 && route.onlink && named === undefined) {
    throw new KernelError('ENODEV', operation, 'onlink needs a link')
  }
  if (DROPS.has(type)) {
    if (family === 4 && (gateway !== undefined || named !== undefined)) {
      throw refuse(`a ${type} route leads nowhere`)
    }
    if (family === 6 && source !== undefined && !isOwn(netns, source)) {
      throw refuse(`${source} is not an address of this namespace`)
    }
    return new RouteEntry({
      ...common,
      device: undefined,
      source,
      scope: family === 4 ? (route.scope ?? 'global') : undefined,
    })
  }
  const scope = family === 4 ? (route.scope ?? defaultScope(type, gateway !== undefined)) : undefined
  if (type === 'local' && scope !== undefined && scope !== 'host')
    throw refuse('a local route has scope host')
  if (scope === 'nowhere') throw refuse('only a route that drops has scope nowhere')
  if (family === 6 && named !== undefined && !hasIpv6(named)) {
    throw new KernelError('ENODEV', operation, `IPv6 is switched off on ${named.name}`)
  }
  const device = linkOf(netns, route, named, scope, operation)
  if (source !== undefined && !isOwn(netns, source))
    throw refuse(`${source} is not an address of this namespace`)
  // An address of this host is no neighbor (fib_check_nh gives the next hop the scope of the host).
  const ownGateway =
    gateway !== undefined && isV4(gateway) && !onlink && netns.ipv4.isLocal(ipv4ToNumber(gateway) | 0)
  return new RouteEntry({ ...common, gateway, ownGateway, device, source, scope })
}

function defaultScope(type: string, hasGateway: boolean): NonNullable<Route['scope']> {
  if (type === 'local') return 'host'
  return hasGateway && type === 'unicast' ? 'global' : 'link'
}

function isOwn(netns: NetworkNamespace, ip: Ip): boolean {
  if (isV4(ip)) return netns.ipv4.isLocal(ipv4ToNumber(ip) | 0)
  return netns.ipv6.isUsable(ipToBytes(ip))
}

/** The link that packets leave by. */
function linkOf(
  netns: NetworkNamespace,
  { gateway, onlink = false }: Route,
  named: Device | undefined,
  scope: Route['scope'] | undefined,
  operation: string,
): Device {
  const inHost = scope === 'host' || scope === 'nowhere'
  if (inHost && gateway !== undefined) {
    throw new KernelError('EINVAL', operation, 'a route of scope host has no gateway')
  }
  if (gateway === undefined) {
    if (onlink && scope !== undefined && !inHost)
      throw new KernelError('EINVAL', operation, 'onlink is said of a gateway')
    if (named === undefined)
      throw new KernelError('ENODEV', operation, 'neither a link nor a gateway is named')
    if (!inHost) checkUp(named, operation)
    return named
  }
  if (scope === 'link') {
    const code = onlink ? 'EINVAL' : 'ENETUNREACH'
    throw new KernelError(code, operation, 'a route of scope link has no gateway')
  }
  if (onlink && named !== undefined) checkUp(named, operation)
  const device = isV4(gateway)
    ? through4(netns, gateway, named, onlink, operation)
    : through6(netns, gateway as Ipv6, named, onlink, operation)
  checkUp(device, operation)
  return device
}

function checkUp(device: Device, operation: string): void {
  if (!device.up) throw new KernelError('ENETDOWN', operation, `${device.name} is down`)
}

/** The link that an IPv4 gateway is on. */
function through4(
  netns: NetworkNamespace,
  gateway: Ipv4,
  named: Device | undefined,
  onlink: boolean,
  operation: string,
): Device {
  const number = ipv4ToNumber(gateway) | 0
  const noGateway = (): KernelError => new KernelError('EINVAL', operation, `${gateway} is no gateway`)
  if (onlink) {
    if (named === undefined) throw new KernelError('ENODEV', operation, 'onlink needs a link')
    const type = netns.ipv4.output(number, 0, 0, undefined)?.type
    if (type === 'local' || type === 'broadcast' || number >>> 28 === 14) throw noGateway()
    return named
  }
  const route = netns.ipv4.output(number, 0, 0, named)
  if (route !== undefined && DROPS.has(route.type)) throw routeError(route, operation)
  if (route === undefined || (route.hasGateway && route.type === 'unicast')) {
    throw new KernelError(
      'ENETUNREACH',
      operation,
      `the gateway ${gateway} is not on a link of this namespace`,
    )
  }
  if (route.type !== 'unicast' && route.type !== 'local') throw noGateway()
  return route.device as Device
}

/** The link that an IPv6 gateway is on. */
function through6(
  netns: NetworkNamespace,
  gateway: Ipv6,
  named: Device | undefined,
  onlink: boolean,
  operation: string,
): Device {
  const octets = ipToBytes(gateway)
  const near = isLinkLocal(gateway)
  const own = netns.links().some((device) => {
    const counts = !near || named === undefined || device === named
    return counts && device.addresses6.some(({ ip }) => ip === gateway)
  })
  if (own || octets[0] === 0xff) throw new KernelError('EINVAL', operation, `${gateway} is no gateway`)
  if (near) {
    if (named === undefined) throw new KernelError('EINVAL', operation, 'a link-local gateway needs a link')
    return named
  }
  const words = new Uint32Array(4)
  ipv6ToWords(gateway, words)
  if (onlink && named !== undefined) {
    const known = netns.ipv6.tables.get(TABLE_MAIN)?.lookup(words, undefined)
    if (known !== undefined && known.length > 0 && (known.type !== 'unicast' || known.device !== named)) {
      throw new KernelError('EINVAL', operation, `the gateway ${gateway} is on another link`)
    }
    return named
  }
  const route = netns.ipv6.output(words, UNSPECIFIED, 0, named)
  if (route?.device === undefined || route.type !== 'unicast' || route.hasGateway) {
    throw new KernelError(
      'EHOSTUNREACH',
      operation,
      `the gateway ${gateway} is not on a link of this namespace`,
    )
  }
  return route.device
}
