import { KernelError, type Route, type RouteAnswer, type RouteKey, type RouteQuery } from '@podfabric/kernel'
import {
  type Ip,
  type Ipv4,
  type Ipv6,
  ipFromBytes,
  ipToBytes,
  ipv4FromNumber,
  ipv4ToNumber,
  ipv6FromWords,
  ipv6ToWords,
  isV4,
  prefixFamily,
} from '@podfabric/netaddr'
import type { Device } from './device.ts'
import { leads, outOf } from './ipv4-output.ts'
import { linkNamed } from './link-operations.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { insertRoute, removeRoute, tableOf } from './route-changes.ts'
import { RouteEntry, TABLE_MAIN } from './route-entry.ts'
import { routeError } from './route-error.ts'
import { routeFrom } from './route-from.ts'
import type { RouteTable4, RouteTable6 } from './route-table.ts'

const UNSPECIFIED = new Uint8Array(16)

/** EEXIST where the table has a route to the prefix with that metric. */
export function addRoute(netns: NetworkNamespace, route: Route, operation: string): void {
  const entry = routeFrom(netns, route, operation)
  if (twinOf(netns, entry) !== undefined) {
    throw new KernelError(
      'EEXIST',
      operation,
      'there is such a route already; another metric makes another route',
    )
  }
  insertRoute(netns, entry)
}

/** Puts the route in place of the one with its prefix, table and metric, where there is one. */
export function replaceRoute(netns: NetworkNamespace, route: Route, operation: string): void {
  const entry = routeFrom(netns, route, operation)
  const twin = twinOf(netns, entry)
  if (twin !== undefined) removeRoute(netns, twin)
  insertRoute(netns, entry)
}

function twinOf(netns: NetworkNamespace, entry: RouteEntry): RouteEntry | undefined {
  return tableOf(netns, entry)
    .alternatives(entry)
    .find(({ metric }) => metric === entry.metric)
}

/** ESRCH. */
export function deleteRoute(netns: NetworkNamespace, key: RouteKey, operation: string): void {
  if (key.link !== undefined) linkNamed(netns, key.link, operation)
  if (key.gateway !== undefined && isV4(key.gateway) !== (prefixFamily(key.destination) === 4)) {
    throw new KernelError('EINVAL', operation, 'the gateway is of another family')
  }
  const { destination, table = TABLE_MAIN } = key
  const probe = new RouteEntry({
    destination,
    type: 'unicast',
    device: undefined,
    metric: 0,
    table,
    protocol: 0,
  })
  const tables: ReadonlyMap<number, RouteTable4 | RouteTable6> =
    probe.family === 4 ? netns.ipv4.tables : netns.ipv6.tables
  const found = tables
    .get(table)
    ?.alternatives(probe)
    .find((entry) => hasAll(entry.row(), key))
  if (found === undefined) {
    // Every IPv6 table ends with an entry that refuses; Linux finds that, and does not let it go.
    const bare = !key.link && !key.gateway && !key.metric && !key.protocol
    const atEnd = probe.family === 6 && probe.length === 0 && bare && netns.ipv6.tables.has(table)
    throw new KernelError(atEnd ? 'ENOENT' : 'ESRCH', operation, 'there is no such route')
  }
  removeRoute(netns, found)
}

/** What an IPv6 delete does not look at (ip6_route_del). */
const IGNORED6: ReadonlySet<string> = new Set(['type', 'source', 'scope', 'onlink', 'mtu', 'advmss'])

function hasAll(row: Route, key: RouteKey): boolean {
  const is6 = prefixFamily(key.destination) === 6
  return Object.entries(key).every(([name, value]) => {
    if (value === undefined || name === 'table') return true
    if (is6 && IGNORED6.has(name)) return true
    // 0 is no wish.
    if (is6 && value === 0) return true
    const own = row[name as keyof Route]
    return name === 'onlink' ? (own ?? false) === value : own === value
  })
}

/** All routes: by table, then by destination, IPv4 first; the order of `ip route show table all`. */
export function listRoutes(netns: NetworkNamespace): Route[] {
  const byTable = <T>(tables: ReadonlyMap<number, T>): T[] =>
    [...tables].sort(([a], [b]) => a - b).map(([, table]) => table)
  const entries = [
    ...byTable(netns.ipv4.tables).flatMap((table) => table.list()),
    ...byTable(netns.ipv6.tables).flatMap((table) => table.list()),
  ]
  return entries.map((entry) => entry.row())
}

/** As `Routes.lookup`. */
export function lookupRoute(netns: NetworkNamespace, query: RouteQuery): RouteAnswer {
  const operation = `ip route get ${query.destination}`
  const input = query.input === undefined ? undefined : linkNamed(netns, query.input, operation)
  return isV4(query.destination)
    ? lookup4(netns, query, query.destination, input, operation)
    : lookup6(netns, query, query.destination as Ipv6, input, operation)
}

function lookup4(
  netns: NetworkNamespace,
  query: RouteQuery,
  destination: Ipv4,
  input: Device | undefined,
  operation: string,
): RouteAnswer {
  const { ipv4 } = netns
  const to = ipv4ToNumber(destination) | 0
  const from = query.source === undefined ? 0 : ipv4ToNumber(query.source as Ipv4) | 0
  const mark = query.mark ?? 0
  if (input === undefined && from !== 0 && !ipv4.isLocal(from)) {
    throw new KernelError('ENETUNREACH', operation, `${query.source} is not an address of this namespace`)
  }
  const route =
    input === undefined ? ipv4.output(to, from, mark, undefined) : ipv4.input(to, from, mark, input)
  if (input !== undefined && route?.type !== 'local' && route?.type !== 'broadcast' && !input.forwarding4) {
    throw new KernelError('EHOSTUNREACH', operation, `forwarding is off on ${input.name}`)
  }
  if (route === undefined || !leads(route)) throw routeError(route, operation)
  const source = from === 0 ? ipv4.sourceFor(route, to) : from
  return answer(netns, route, {
    gateway: route.hasGateway ? ipv4FromNumber(route.gateway4) : undefined,
    source: input === undefined && source !== 0 ? ipv4FromNumber(source) : undefined,
    mtu: ipv4.mtuTo(to, route),
  })
}

function lookup6(
  netns: NetworkNamespace,
  query: RouteQuery,
  destination: Ipv6,
  input: Device | undefined,
  operation: string,
): RouteAnswer {
  const { ipv6 } = netns
  const to = new Uint32Array(4)
  ipv6ToWords(destination, to)
  const from = query.source === undefined ? UNSPECIFIED : ipToBytes(query.source)
  const mark = query.mark ?? 0
  const route =
    input === undefined ? ipv6.output(to, from, mark, undefined) : ipv6.input(to, from, mark, input)
  if (route === undefined || !leads(route)) throw routeError(route, operation)
  const source = query.source === undefined ? ipv6.sourceFor(route, ipToBytes(destination)) : from
  return answer(netns, route, {
    gateway: route.hasGateway ? ipv6FromWords(route.gateway6) : undefined,
    source: input === undefined && source !== undefined ? ipFromBytes(source) : undefined,
    mtu: ipv6.mtuTo(to, route),
  })
}

function answer(
  netns: NetworkNamespace,
  route: RouteEntry,
  facts: { readonly gateway: Ip | undefined; readonly source: Ip | undefined; readonly mtu: number },
): RouteAnswer {
  const { gateway, source, mtu } = facts
  return {
    type: route.type,
    link: outOf(netns, route).name,
    ...(gateway !== undefined && { gateway }),
    ...(source !== undefined && { source }),
    table: route.table,
    mtu,
  }
}
