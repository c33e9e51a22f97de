import {
  KernelError,
  type Route,
  type RouteAnswer,
  type RouteKey,
  type RouteQuery,
  type Rule,
} from '@podfabric/kernel'
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
  isLinkLocal,
  isV4,
  prefixFamily,
} from '@podfabric/netaddr'
import type { Device } from './device.ts'
import { leads, outOf } from './ipv4-output.ts'
import { linkNamed } from './link-operations.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { insertRoute, removeRoute, tableOf } from './route-changes.ts'
import { PROTOCOL_BOOT, RouteEntry, TABLE_MAIN } from './route-entry.ts'
import { routeError } from './route-error.ts'
import { RuleEntry } from './rule-entry.ts'

const METRIC6 = 1024
const UNSPECIFIED = new Uint8Array(16)
const DROPS: ReadonlySet<string> = new Set(['blackhole', 'unreachable', 'prohibit', 'throw'])

/** EEXIST where the table has a route to the prefix with that metric. */
export function addRoute(netns: NetworkNamespace, route: Route, operation: string): void {
  const entry = build(netns, route, operation)
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
  const entry = build(netns, route, operation)
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
  const { destination, table = TABLE_MAIN } = key
  const probe = new RouteEntry({
    destination,
    type: 'unicast',
    device: undefined,
    metric: 0,
    table,
    protocol: 0,
  })
  const found = tableOf(netns, probe)
    .alternatives(probe)
    .find((entry) => hasAll(entry.row(), key))
  if (found === undefined) throw new KernelError('ESRCH', operation, 'there is no such route')
  removeRoute(netns, found)
}

function hasAll(row: Route, key: RouteKey): boolean {
  return Object.entries(key).every(([name, value]) => {
    if (value === undefined || name === 'table') return true
    const own = row[name as keyof Route]
    return name === 'onlink' ? (own ?? false) === value : own === value
  })
}

function build(netns: NetworkNamespace, route: Route, operation: string): RouteEntry {
  const { destination, type = 'unicast', gateway, source, table = TABLE_MAIN, onlink, mtu, advmss } = route
  const family = prefixFamily(destination)
  const refuse = (reason: string): KernelError => new KernelError('EINVAL', operation, reason)
  if (gateway !== undefined && isV4(gateway) !== (family === 4))
    throw refuse('the gateway is of another family')
  if (source !== undefined && isV4(source) !== (family === 4)) throw refuse('the source is of another family')
  const metric = route.metric || (family === 4 ? 0 : METRIC6)
  const common = { destination, type, metric, table, mtu, advmss, protocol: route.protocol ?? PROTOCOL_BOOT }
  if (DROPS.has(type)) {
    if (family === 4 && (gateway !== undefined || route.link !== undefined)) {
      throw refuse(`a ${type} route leads nowhere`)
    }
    return new RouteEntry({
      ...common,
      device: undefined,
      scope: family === 4 ? (route.scope ?? 'global') : undefined,
    })
  }
  const named = route.link === undefined ? undefined : linkNamed(netns, route.link, operation)
  if (named !== undefined && !named.up) {
    throw new KernelError('ENETDOWN', operation, `${named.name} is down`)
  }
  const device =
    gateway === undefined ? named : throughGateway(netns, gateway, named, onlink ?? false, operation)
  if (device === undefined)
    throw new KernelError('ENODEV', operation, 'neither a link nor a gateway is named')
  if (source !== undefined && !isOwn(netns, source))
    throw refuse(`${source} is not an address of this namespace`)
  const scope = family === 4 ? (route.scope ?? defaultScope(type, gateway !== undefined)) : undefined
  return new RouteEntry({ ...common, gateway, device, source, scope, onlink })
}

function defaultScope(type: string, hasGateway: boolean): NonNullable<Route['scope']> {
  if (type === 'local') return 'host'
  return hasGateway && type === 'unicast' ? 'global' : 'link'
}

function isOwn(netns: NetworkNamespace, ip: Ip): boolean {
  if (isV4(ip)) return netns.ipv4.isLocal(ipv4ToNumber(ip) | 0)
  return netns.ipv6.isUsable(ipToBytes(ip))
}

/** The link that a gateway is on; the errno where it is not directly reachable. */
function throughGateway(
  netns: NetworkNamespace,
  gateway: Ip,
  named: Device | undefined,
  onlink: boolean,
  operation: string,
): Device {
  return isV4(gateway)
    ? through4(netns, gateway, named, onlink, operation)
    : through6(netns, gateway as Ipv6, named, onlink, operation)
}

function through4(
  netns: NetworkNamespace,
  gateway: Ipv4,
  named: Device | undefined,
  onlink: boolean,
  operation: string,
): Device {
  const number = ipv4ToNumber(gateway) | 0
  if (onlink) {
    if (named === undefined) throw new KernelError('EINVAL', operation, 'onlink needs a link')
    const type = netns.ipv4.output(number, 0, 0, undefined)?.type
    const refused = type === 'local' || type === 'broadcast' || number >>> 28 === 14
    if (refused) throw new KernelError('EINVAL', operation, `${gateway} is no gateway`)
    return named
  }
  const route = netns.ipv4.output(number, 0, 0, named)
  if (route === undefined || DROPS.has(route.type) || (route.hasGateway && route.type === 'unicast')) {
    throw new KernelError(
      'ENETUNREACH',
      operation,
      `the gateway ${gateway} is not on a link of this namespace`,
    )
  }
  if (route.type !== 'unicast' && route.type !== 'local') {
    throw new KernelError('EINVAL', operation, `${gateway} is no gateway`)
  }
  return route.device as Device
}

function through6(
  netns: NetworkNamespace,
  gateway: Ipv6,
  named: Device | undefined,
  onlink: boolean,
  operation: string,
): Device {
  const octets = ipToBytes(gateway)
  if (octets[0] === 0xff) throw new KernelError('EINVAL', operation, `${gateway} is no gateway`)
  const own = netns.links().some((device) => {
    return (named === undefined || device === named) && device.addresses6.some(({ ip }) => ip === gateway)
  })
  if (own) throw new KernelError('EINVAL', operation, 'the gateway is an address of this namespace')
  if (isLinkLocal(gateway)) {
    if (named === undefined) throw new KernelError('EINVAL', operation, 'a link-local gateway needs a link')
    return named
  }
  if (onlink) {
    if (named === undefined) throw new KernelError('EINVAL', operation, 'onlink needs a link')
    return named
  }
  const words = new Uint32Array(4)
  ipv6ToWords(gateway, words)
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

/** EEXIST where there is the very same rule. Rules of one priority are asked in the order they came. */
export function addRule(netns: NetworkNamespace, rule: Rule, operation: string): void {
  checkRule(rule, operation)
  const routing = rule.family === 4 ? netns.ipv4 : netns.ipv6
  const row = { ...rule, protocol: rule.protocol ?? PROTOCOL_BOOT }
  if (routing.rules.some((known) => isSameRule(known.row, row))) {
    throw new KernelError('EEXIST', operation, 'there is such a rule already')
  }
  const place = routing.rules.findIndex(({ row: { priority } }) => priority > rule.priority)
  const at = place < 0 ? routing.rules.length : place
  routing.rules = [...routing.rules.slice(0, at), new RuleEntry(row), ...routing.rules.slice(at)]
  if (netns.watched) netns.notify({ table: 'rules', type: 'new', row })
}

function checkRule({ priority, family, from, to }: Rule, operation: string): void {
  if (!Number.isInteger(priority) || priority < 0 || priority > 0xffff_ffff) {
    throw new KernelError('EINVAL', operation, `${priority} is no priority`)
  }
  for (const prefix of [from, to]) {
    if (prefix !== undefined && prefixFamily(prefix) !== family) {
      throw new KernelError('EINVAL', operation, `${prefix} is not of the rule's family`)
    }
  }
}

function isSameRule(a: Rule, b: Rule): boolean {
  return describe(a) === describe(b)
}

function describe({ family, priority, from, to, mark, input, output, invert, action }: Rule): string {
  return JSON.stringify([
    family,
    priority,
    from,
    to,
    mark?.value,
    mark?.mask,
    input,
    output,
    invert ?? false,
    action,
  ])
}

/** ENOENT. The first rule that has all that is given. */
export function deleteRule(netns: NetworkNamespace, rule: Rule, operation: string): void {
  const routing = rule.family === 4 ? netns.ipv4 : netns.ipv6
  const found = routing.rules.find(({ row }) => fits(row, rule))
  if (found === undefined) throw new KernelError('ENOENT', operation, 'there is no such rule')
  routing.rules = routing.rules.filter((other) => other !== found)
  if (netns.watched) netns.notify({ table: 'rules', type: 'gone', row: found.row })
}

function fits(row: Rule, key: Rule): boolean {
  return Object.entries(key).every(([name, value]) => {
    if (value === undefined) return true
    const own = row[name as keyof Rule] ?? (name === 'invert' ? false : undefined)
    return JSON.stringify(own) === JSON.stringify(value)
  })
}

export function listRules(netns: NetworkNamespace): Rule[] {
  return [...netns.ipv4.rules, ...netns.ipv6.rules].map(({ row }) => row)
}
