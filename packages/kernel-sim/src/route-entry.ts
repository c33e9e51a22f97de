import type { Route, RouteType } from '@podfabric/kernel'
import {
  type Ip,
  type Ipv6,
  ipToBytes,
  ipv4ToNumber,
  ipv6ToWords,
  isV4,
  networkAddress,
  type Prefix,
  prefixFamily,
  prefixLength,
} from '@podfabric/netaddr'
import type { Device } from './device.ts'
import type { Because } from './hops.ts'
import type { NeighborEntry } from './neighbor-entry.ts'

export const PROTOCOL_KERNEL = 2
export const PROTOCOL_BOOT = 3
export const TABLE_DEFAULT = 253
export const TABLE_MAIN = 254
export const TABLE_LOCAL = 255

/** What a route is made of; fields as in `Route`, all defaults settled. */
export interface RouteFields {
  readonly destination: Prefix
  readonly type: RouteType
  readonly gateway?: Ip | undefined
  /** The gateway was an address of this host when the route came: packets go to the link as without one. */
  readonly ownGateway?: boolean | undefined
  readonly device: Device | undefined
  readonly source?: Ip | undefined
  readonly metric: number
  readonly table: number
  readonly scope?: NonNullable<Route['scope']> | undefined
  readonly onlink?: boolean | undefined
  readonly mtu?: number | undefined
  readonly advmss?: number | undefined
  readonly protocol: number
}

/** One route, with what packet paths need of it as numbers. */
export class RouteEntry {
  readonly fields: RouteFields
  readonly family: 4 | 6
  readonly type: RouteType
  readonly table: number
  readonly metric: number
  readonly device: Device | undefined
  readonly length: number
  /** IPv4: the destination, signed. */
  readonly network4: number
  /** IPv6: the destination's words. */
  readonly network6: Uint32Array
  readonly hasGateway: boolean
  /** IPv4, signed; 0 without. */
  readonly gateway4: number
  /** IPv6; zeroes without. */
  readonly gateway6: Uint32Array
  /** IPv4, signed; 0 without. */
  readonly source4: number
  readonly source6: Uint8Array | undefined
  /** 0 without. IPv6 routes follow the link (rt6_mtu_change_route). */
  mtu: number
  /** The gateway's entry, found once; looked for again where it is gone. */
  neighbor: NeighborEntry | undefined = undefined

  constructor(fields: RouteFields) {
    const { destination, gateway, source } = fields
    this.fields = fields
    this.family = prefixFamily(destination)
    this.type = fields.type
    this.table = fields.table
    this.metric = fields.metric
    this.device = fields.device
    this.length = prefixLength(destination)
    const network = networkAddress(destination)
    this.network4 = number4(network)
    this.network6 = words6(network)
    this.hasGateway = gateway !== undefined && !fields.ownGateway
    this.gateway4 = gateway === undefined ? 0 : number4(gateway)
    this.gateway6 = gateway === undefined ? NO_WORDS : words6(gateway)
    this.source4 = source === undefined ? 0 : number4(source)
    this.source6 = source !== undefined && !isV4(source) ? ipToBytes(source) : undefined
    this.mtu = fields.mtu ?? 0
  }

  /** Octets that a packet may have on this route, exceptions aside: what the route says, also above the link's. */
  get pathMtu(): number {
    if (this.device === undefined) return 0
    return this.mtu === 0 ? this.device.mtu : this.mtu
  }

  row(): Route {
    const { destination, type, gateway, device, source, metric, table, scope, onlink, advmss, protocol } =
      this.fields
    return {
      destination,
      type,
      ...(gateway !== undefined && { gateway }),
      ...(device !== undefined && { link: device.name }),
      ...(source !== undefined && { source }),
      metric,
      table,
      ...(scope !== undefined && { scope }),
      ...(onlink && { onlink }),
      ...(this.mtu !== 0 && { mtu: this.mtu }),
      ...(advmss !== undefined && { advmss }),
      protocol,
    }
  }

  /** As `ip route` prints it. */
  get text(): string {
    const { destination, type, gateway, device, source, onlink } = this.fields
    const words = type === 'unicast' ? [] : [type as string]
    words.push(this.length === 0 ? 'default' : destination)
    if (gateway !== undefined) words.push('via', gateway)
    if (device !== undefined) words.push('dev', device.name)
    if (source !== undefined) words.push('src', source)
    if (onlink) words.push('onlink')
    return words.join(' ')
  }

  get because(): Because {
    return { route: this.text, table: this.table }
  }
}

const NO_WORDS = new Uint32Array(4)

/** 0 for IPv6. */
function number4(ip: Ip): number {
  return isV4(ip) ? ipv4ToNumber(ip) | 0 : 0
}

/** Zeroes for IPv4. */
function words6(ip: Ip): Uint32Array {
  if (isV4(ip)) return NO_WORDS
  const words = new Uint32Array(4)
  ipv6ToWords(ip as Ipv6, words)
  return words
}
