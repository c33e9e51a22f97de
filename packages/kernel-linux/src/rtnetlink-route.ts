import type { Route, RouteAnswer, RouteKey, RouteQuery, RouteType } from '@podfabric/kernel'
import {
  type Ip,
  ipFromBytes,
  ipToBytes,
  networkAddress,
  type Prefix,
  prefixFrom,
  prefixLength,
  UNSPECIFIED_IPV4,
  UNSPECIFIED_IPV6,
} from '@podfabric/netaddr'
import type { IndexOf, NameOf } from './link-names.ts'
import {
  Attributes,
  fixedHeader,
  malformed,
  NetlinkWriter,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
} from './netlink-message.ts'
import { AF_INET, AF_INET6 } from './rtnetlink-address.ts'

export const RTM_NEWROUTE = 24
export const RTM_DELROUTE = 25
const RTM_GETROUTE = 26

const HEADER_LENGTH = 12
const RTA_DST = 1
const RTA_SRC = 2
const RTA_IIF = 3
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_METRICS = 8
const RTA_MULTIPATH = 9
const RTA_TABLE = 15
const RTA_MARK = 16
const RTA_VIA = 18
const RTAX_MTU = 2
const RTAX_ADVMSS = 8
const RTNH_F_ONLINK = 4
const RTM_F_CLONED = 0x200
const RTM_F_LOOKUP_TABLE = 0x1000
const RTPROT_BOOT = 3
const MAIN = 254
const LOCAL = 255

const scopeNumbers = { global: 0, link: 253, host: 254, nowhere: 255 } as const
const typeNumbers: Readonly<Record<RouteType, number>> = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
}
const typeNames = new Map(Object.entries(typeNumbers).map(([name, number]) => [number, name as RouteType]))

/** What route messages of all uses have in common. */
interface RouteFacts {
  readonly header: DataView
  readonly attributes: Attributes
  readonly family: 4 | 6
  readonly type: RouteType
  readonly table: number
  readonly hop: { readonly oif: number | undefined; readonly gateway: Ip | undefined; readonly flags: number }
  readonly metrics: Attributes | undefined
}

function facts(payload: Uint8Array): RouteFacts | undefined {
  const header = fixedHeader(payload, HEADER_LENGTH)
  const number = header.getUint8(0)
  const type = typeNames.get(header.getUint8(7))
  if ((number !== AF_INET && number !== AF_INET6) || type === undefined) return undefined
  const attributes = new Attributes(payload, HEADER_LENGTH)
  const family = number === AF_INET ? 4 : 6
  return {
    header,
    attributes,
    family,
    type,
    table: attributes.u32(RTA_TABLE) ?? header.getUint8(4),
    hop: firstHop(header, attributes, family),
    metrics: attributes.nested(RTA_METRICS),
  }
}

/** Of several next hops, the first: the contract has words for one. */
function firstHop(header: DataView, attributes: Attributes, family: 4 | 6): RouteFacts['hop'] {
  const several = attributes.bytes(RTA_MULTIPATH)
  if (several === undefined || several.length === 0) {
    const flags = header.getUint32(8, true)
    return { oif: attributes.u32(RTA_OIF), gateway: gatewayOf(attributes, family), flags }
  }
  const hop = fixedHeader(several, 8)
  const length = hop.getUint16(0, true)
  if (length < 8 || length > several.length) throw malformed('a next hop')
  const inner = new Attributes(several.subarray(0, length), 8)
  return { oif: hop.getInt32(4, true), gateway: gatewayOf(inner, family), flags: hop.getUint8(2) }
}

function gatewayOf(attributes: Attributes, family: 4 | 6): Ip | undefined {
  const same = attributes.bytes(RTA_GATEWAY)
  if (same !== undefined) return ipOf(same, family === 4 ? 4 : 16)
  const other = attributes.bytes(RTA_VIA)
  return other === undefined ? undefined : ipOf(other.subarray(2), family === 4 ? 16 : 4)
}

function ipOf(bytes: Uint8Array, length: number): Ip {
  if (bytes.length !== length) throw malformed(`an address of ${bytes.length} octets`)
  return ipFromBytes(bytes)
}

/** Undefined for what is no entry of a table: cached answers, families and types without words. EPROTO. */
export function readRoute(payload: Uint8Array, nameOf: NameOf): Route | undefined {
  const found = facts(payload)
  if (found === undefined || (found.header.getUint32(8, true) & RTM_F_CLONED) !== 0) return undefined
  const { header, attributes, family, type, table, hop, metrics } = found
  const source = attributes.bytes(RTA_PREFSRC)
  const mtu = metrics?.u32(RTAX_MTU)
  const advmss = metrics?.u32(RTAX_ADVMSS)
  return {
    destination: destinationOf(attributes.bytes(RTA_DST), header.getUint8(1), family),
    type,
    ...(hop.gateway === undefined ? {} : { gateway: hop.gateway }),
    ...(hop.oif === undefined || drops(type) ? {} : { link: nameOf(hop.oif) }),
    ...(source === undefined ? {} : { source: ipOf(source, family === 4 ? 4 : 16) }),
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
    table,
    ...(family === 4 ? { scope: scopeOf(header.getUint8(6)) } : {}),
    ...(hop.flags & RTNH_F_ONLINK ? { onlink: true } : {}),
    ...(mtu === undefined ? {} : { mtu }),
    ...(advmss === undefined ? {} : { advmss }),
    protocol: header.getUint8(5),
  }
}

function drops(type: RouteType): boolean {
  return type === 'blackhole' || type === 'unreachable' || type === 'prohibit' || type === 'throw'
}

function destinationOf(bytes: Uint8Array | undefined, length: number, family: 4 | 6): Prefix {
  const octets = family === 4 ? 4 : 16
  if (length > 8 * octets) throw malformed(`a prefix of ${length} bits`)
  const unspecified = family === 4 ? UNSPECIFIED_IPV4 : UNSPECIFIED_IPV6
  return prefixFrom(bytes === undefined ? unspecified : ipOf(bytes, octets), length)
}

function scopeOf(number: number): NonNullable<Route['scope']> {
  if (number === scopeNumbers.link) return 'link'
  if (number === scopeNumbers.host) return 'host'
  return number === scopeNumbers.nowhere ? 'nowhere' : 'global'
}

/** The answer to a lookup; `mtuOf` tells what a link of this index takes. EPROTO. */
export function readAnswer(
  payload: Uint8Array,
  nameOf: NameOf,
  mtuOf: (index: number) => number,
): RouteAnswer {
  const found = facts(payload)
  if (found === undefined) throw malformed('a route without an address family')
  const { attributes, family, type, table, hop, metrics } = found
  const source = attributes.bytes(RTA_PREFSRC)
  const oif = hop.oif ?? 0
  // Until the first rule of somebody's own, IPv4 keeps local and main in one trie and calls both main.
  const isMerged = table === MAIN && (type === 'local' || type === 'broadcast')
  return {
    type,
    link: nameOf(oif),
    ...(hop.gateway === undefined ? {} : { gateway: hop.gateway }),
    ...(source === undefined ? {} : { source: ipOf(source, family === 4 ? 4 : 16) }),
    table: isMerged ? LOCAL : table,
    mtu: metrics?.u32(RTAX_MTU) ?? mtuOf(oif),
  }
}

export function lookupRoute(query: RouteQuery, indexOf: IndexOf): NetlinkWriter {
  const { destination, source, input, mark } = query
  const v6 = destination.includes(':')
  const bits = v6 ? 128 : 32
  const writer = new NetlinkWriter(RTM_GETROUTE)
    .u8(v6 ? AF_INET6 : AF_INET)
    .u8(bits)
    .u8(source === undefined ? 0 : bits)
    .u8(0)
  // IPv6 tells the table unasked, and refuses the flag.
  writer
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(v6 ? 0 : RTM_F_LOOKUP_TABLE)
  writer.attribute(RTA_DST, ipToBytes(destination))
  if (source !== undefined) writer.attribute(RTA_SRC, ipToBytes(source))
  if (input !== undefined) writer.attributeU32(RTA_IIF, indexOf(input))
  if (mark !== undefined) writer.attributeU32(RTA_MARK, mark)
  return writer
}

function message(
  writer: NetlinkWriter,
  row: RouteKey,
  indexOf: IndexOf,
  defaults: { readonly protocol: number; readonly type: number; readonly scope: number },
): NetlinkWriter {
  const v6 = row.destination.includes(':')
  const table = row.table ?? MAIN
  writer
    .u8(v6 ? AF_INET6 : AF_INET)
    .u8(prefixLength(row.destination))
    .u8(0)
    .u8(0)
  writer.u8(table < 256 ? table : 0)
  writer.u8(row.protocol ?? defaults.protocol)
  writer.u8(v6 ? 0 : row.scope === undefined ? defaults.scope : scopeNumbers[row.scope])
  writer.u8(row.type === undefined ? defaults.type : typeNumbers[row.type])
  writer.u32(row.onlink === true ? RTNH_F_ONLINK : 0)
  if (prefixLength(row.destination) > 0) writer.attribute(RTA_DST, ipToBytes(networkAddress(row.destination)))
  if (table >= 256) writer.attributeU32(RTA_TABLE, table)
  if (row.gateway !== undefined) writeGateway(writer, row.gateway, v6)
  if (row.link !== undefined) writer.attributeU32(RTA_OIF, indexOf(row.link))
  if (row.source !== undefined) writer.attribute(RTA_PREFSRC, ipToBytes(row.source))
  if (row.metric !== undefined) writer.attributeU32(RTA_PRIORITY, row.metric)
  const { mtu, advmss } = row
  if (mtu !== undefined || advmss !== undefined) {
    writer.nest(RTA_METRICS, (metrics) => {
      if (mtu !== undefined) metrics.attributeU32(RTAX_MTU, mtu)
      if (advmss !== undefined) metrics.attributeU32(RTAX_ADVMSS, advmss)
    })
  }
  return writer
}

function writeGateway(writer: NetlinkWriter, gateway: Ip, v6: boolean): void {
  const bytes = ipToBytes(gateway)
  if (gateway.includes(':') === v6) {
    writer.attribute(RTA_GATEWAY, bytes)
    return
  }
  const via = new Uint8Array(2 + bytes.length)
  new DataView(via.buffer).setUint16(0, v6 ? AF_INET : AF_INET6, true)
  via.set(bytes, 2)
  writer.attribute(RTA_VIA, via)
}

export function addRoute(row: Route, indexOf: IndexOf, verb: 'add' | 'replace'): NetlinkWriter {
  const how = verb === 'add' ? NLM_F_EXCL : NLM_F_REPLACE
  const type = row.type ?? 'unicast'
  const scope = type === 'local' ? 'host' : isLinkScope(type, row.gateway) ? 'link' : 'global'
  return message(new NetlinkWriter(RTM_NEWROUTE, NLM_F_CREATE | how), row, indexOf, {
    protocol: RTPROT_BOOT,
    type: typeNumbers.unicast,
    scope: scopeNumbers[scope],
  })
}

/** As iproute2 chooses when nothing is said. */
function isLinkScope(type: RouteType, gateway: Ip | undefined): boolean {
  if (type === 'unicast') return gateway === undefined
  return type === 'broadcast' || type === 'multicast' || type === 'anycast'
}

/** What is left out matches anything. */
export function deleteRoute(key: RouteKey, indexOf: IndexOf): NetlinkWriter {
  const anything = { protocol: 0, type: 0, scope: scopeNumbers.nowhere }
  return message(new NetlinkWriter(RTM_DELROUTE), key, indexOf, anything)
}

export function listRoutes(family: 4 | 6): NetlinkWriter {
  return new NetlinkWriter(RTM_GETROUTE)
    .u8(family === 4 ? AF_INET : AF_INET6)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(0)
    .u32(0)
}
