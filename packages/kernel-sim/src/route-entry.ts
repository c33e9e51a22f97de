import type { Route, RouteType } from '@podfabric/kernel'
import {
  type Ip,
  ipToBytes,
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
  /** Destination in network order. */
  readonly octets: Uint8Array
  readonly hasGateway: boolean
  /** IPv4, signed; 0 without. */
  readonly gateway4: number
  /** IPv6; zeroes without. */
  readonly gateway6 = new Uint32Array(4)
  /** IPv4, signed; 0 without. */
  readonly source4: number
  readonly source6: Uint8Array | undefined
  /** 0 without. */
  readonly mtu: number
  /** The gateway's entry, found once. Checked against the table before use. */
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
    this.octets = ipToBytes(networkAddress(destination))
    this.hasGateway = gateway !== undefined
    this.gateway4 = gateway !== undefined && isV4(gateway) ? number4(gateway) : 0
    if (gateway !== undefined && !isV4(gateway)) {
      const view = new DataView(ipToBytes(gateway).buffer)
      for (let w = 0; w < 4; w++) this.gateway6[w] = view.getUint32(4 * w)
    }
    this.source4 = source !== undefined && isV4(source) ? number4(source) : 0
    this.source6 = source !== undefined && !isV4(source) ? ipToBytes(source) : undefined
    this.mtu = fields.mtu ?? 0
  }

  /** Octets that a packet may have on this route, exceptions aside. */
  get pathMtu(): number {
    if (this.device === undefined) return 0
    return this.mtu === 0 ? this.device.mtu : Math.min(this.mtu, this.device.mtu)
  }

  row(): Route {
    const {
      destination,
      type,
      gateway,
      device,
      source,
      metric,
      table,
      scope,
      onlink,
      mtu,
      advmss,
      protocol,
    } = this.fields
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
      ...(mtu !== undefined && { mtu }),
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

function number4(ip: Ip): number {
  return new DataView(ipToBytes(ip).buffer).getInt32(0)
}
