import { addressOf, type IfAddress, isV4, prefixFamily } from '@podfabric/netaddr'
import type { JsonObject } from './json.ts'
import { defined } from './json-reader.ts'
import type { AddResult, ResultDns, ResultInterface, ResultIp, ResultRoute } from './result.ts'
import { type CniVersion, isAtLeast } from './version.ts'

/**
 * The result as a version of the specification writes it. What the version has no words for is left out: before 1.1.0 the
 * newer keys of interfaces and routes; before 0.3.0 interfaces, all but the first address of each family, and routes of
 * a family without an address. Keys in `extra` are written as they came, but never over a known key.
 */
export function formatResult(result: AddResult, version: CniVersion): JsonObject {
  if (!isAtLeast(version, '0.3.0')) return formatLegacy(result, version)
  return {
    ...result.extra,
    cniVersion: version,
    ...(result.interfaces.length > 0 && {
      interfaces: result.interfaces.map((each) => formatInterface(each, version)),
    }),
    ips: result.ips.map((each) => formatIp(each, version)),
    routes: result.routes.map((each) => formatRoute(each, version)),
    dns: formatDns(result.dns),
  }
}

function formatInterface(each: ResultInterface, version: CniVersion): JsonObject {
  return json({
    ...each.extra,
    name: each.name,
    mac: each.mac ?? each.extra?.mac,
    ...(isAtLeast(version, '1.1.0') && {
      mtu: each.mtu,
      socketPath: each.socketPath,
      pciID: each.pciId,
    }),
    sandbox: each.sandbox,
  })
}

function formatIp(each: ResultIp, version: CniVersion): JsonObject {
  return json({
    ...each.extra,
    ...(!isAtLeast(version, '1.0.0') && { version: isV4(addressOf(each.address)) ? '4' : '6' }),
    interface: each.interface,
    address: each.address,
    gateway: each.gateway,
  })
}

function formatRoute(each: ResultRoute, version: CniVersion): JsonObject {
  return json({
    ...each.extra,
    dst: each.destination,
    gw: each.gateway,
    ...(isAtLeast(version, '1.1.0') && {
      mtu: each.mtu,
      advmss: each.advmss,
      priority: each.priority,
      table: each.table,
      scope: each.scope,
    }),
  })
}

function formatDns(dns: ResultDns | undefined): JsonObject {
  if (dns === undefined) return {}
  const { extra, nameservers, domain, search, options } = dns
  return json({ ...extra, nameservers, domain, search, options })
}

function formatLegacy(result: AddResult, version: CniVersion): JsonObject {
  return json({
    ...result.extra,
    cniVersion: version,
    ip4: formatFamily(result, 4),
    ip6: formatFamily(result, 6),
    dns: formatDns(result.dns),
  })
}

function formatFamily(result: AddResult, family: 4 | 6): JsonObject | undefined {
  const first = result.ips.find((each) => familyOfAddress(each.address) === family)
  if (first === undefined) return undefined
  const routes = result.routes.filter((route) => prefixFamily(route.destination) === family)
  return json({
    ...first.extra,
    ip: first.address,
    gateway: first.gateway,
    routes: routes.map((route) => formatRoute(route, '0.2.0')),
  })
}

function familyOfAddress(address: IfAddress): 4 | 6 {
  return isV4(addressOf(address)) ? 4 : 6
}

/** Without the keys that have no value. */
function json(entries: Record<string, JsonObject[string] | undefined>): JsonObject {
  return defined(entries) as JsonObject
}
