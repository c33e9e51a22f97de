import { type Address, KernelError } from '@podfabric/kernel'
import {
  addressOf,
  type IfAddress,
  type Ip,
  type Ipv4,
  ipv4FromNumber,
  ipv4ToNumber,
  type Prefix,
  prefixFrom,
  prefixLength,
} from '@podfabric/netaddr'
import type { Device } from './device.ts'
import { insertRoute, removeRoute, removeRoutesOf } from './route-changes.ts'
import { PROTOCOL_KERNEL, RouteEntry, TABLE_LOCAL, TABLE_MAIN } from './route-entry.ts'

const LOOPBACK = '127.0.0.1/8' as IfAddress

/** An IPv4 address of a link, with what packet paths need of it as signed numbers. */
export class Ipv4Address {
  readonly address: IfAddress
  readonly ip: Ip
  readonly length: number
  readonly number: number
  readonly mask: number
  scope: NonNullable<Address['scope']>
  noPrefixRoute: boolean
  /** Behind another address of the same network on the link: it has no routes but its own. */
  secondary = false

  constructor(row: Address) {
    this.address = row.address
    this.ip = addressOf(row.address)
    this.length = prefixLength(row.address)
    this.number = ipv4ToNumber(this.ip as Ipv4) | 0
    this.mask = this.length === 0 ? 0 : -1 << (32 - this.length)
    this.scope = row.scope ?? (this.number >>> 24 === 127 ? 'host' : 'global')
    this.noPrefixRoute = row.noPrefixRoute ?? false
  }

  get network(): number {
    return this.number & this.mask
  }

  row(link: string): Address {
    const { address, scope, noPrefixRoute } = this
    return { link, address, scope, ...(noPrefixRoute && { noPrefixRoute }) }
  }
}

/** EEXIST where the link has the address with that length. */
export function addAddress4(device: Device, row: Address, operation: string): void {
  const added = new Ipv4Address(row)
  const { addresses4 } = device
  if (find(device, row.address) !== undefined) {
    throw new KernelError('EEXIST', operation, `${device.name} has the address already`)
  }
  // Linux takes 0.0.0.0 without a word, and forgets it.
  if (added.number === 0) return
  const neighbors = addresses4.filter(({ mask, network }) => mask === added.mask && network === added.network)
  if (neighbors.some(({ scope }) => scope !== added.scope)) {
    throw new KernelError('EINVAL', operation, 'addresses of one network have one scope')
  }
  added.secondary = neighbors.length > 0
  addresses4.splice(added.secondary ? addresses4.length : placeFor(device, added), 0, added)
  device.netns.ipv4.addOwn(added.number)
  addRoutes(device, added)
  notify(device, 'new', added)
}

/** Where a primary address goes: behind the last primary of its scope or a narrower one. */
function placeFor({ addresses4 }: Device, added: Ipv4Address): number {
  return 1 + addresses4.findLastIndex((known) => !known.secondary && rank(known.scope) >= rank(added.scope))
}

function rank(scope: Ipv4Address['scope']): number {
  return scope === 'global' ? 0 : scope === 'link' ? 1 : 2
}

/** Adds the address where it is not there. What is there stays as it is: Linux would change its lifetimes only. */
export function replaceAddress4(device: Device, row: Address, operation: string): void {
  const known = find(device, row.address)
  if (known === undefined) return addAddress4(device, row, operation)
  notify(device, 'new', known)
}

/** EADDRNOTAVAIL. Secondaries of the address go with it, as `promote_secondaries` 0 has it. */
export function deleteAddress4(device: Device, address: IfAddress, operation: string): void {
  const known = find(device, address)
  if (known === undefined) {
    throw new KernelError('EADDRNOTAVAIL', operation, `${device.name} does not have the address`)
  }
  remove(device, known)
  if (known.secondary) return
  const followers = device.addresses4.filter(
    ({ secondary, mask, network }) => secondary && mask === known.mask && network === known.network,
  )
  if (!device.netns.sysctls.either4(device, 'promote_secondaries')) {
    for (const follower of followers) remove(device, follower)
  } else if (followers[0] !== undefined) {
    promote(device, followers[0], followers)
  }
}

function promote(device: Device, heir: Ipv4Address, followers: readonly Ipv4Address[]): void {
  heir.secondary = false
  const { addresses4 } = device
  addresses4.splice(addresses4.indexOf(heir), 1)
  addresses4.splice(placeFor(device, heir), 0, heir)
  for (const follower of followers) {
    removeRoutesOf(device, 4, (entry) => isLocalRoute(entry, follower))
    addRoutes(device, follower)
  }
}

function find(device: Device, address: IfAddress): Ipv4Address | undefined {
  return device.addresses4.find((candidate) => candidate.address === address)
}

function remove(device: Device, address: Ipv4Address): void {
  const { netns } = device
  device.addresses4.splice(device.addresses4.indexOf(address), 1)
  notify(device, 'gone', address)
  const again = device.addresses4.some(({ number }) => number === address.number)
  if (!again) removeRoutesOf(device, 4, (entry) => isLocalRoute(entry, address))
  if (!address.secondary) {
    removeRoutesOf(device, 4, (entry) => isPrefixRoute(entry, address) || isBroadcastRoute(entry, address))
  }
  if (netns.ipv4.deleteOwn(address.number)) removeRoutesFrom(device, address.number)
  if (device.addresses4.length > 0) return
  // A link without addresses has no IPv4: fib_disable_ip.
  removeRoutesOf(device, 4, () => true)
  device.neighbors4.clearAll()
}

/** Routes of the main table that prefer an address which is nowhere any more. */
function removeRoutesFrom({ netns }: Device, source: number): void {
  for (const entry of netns.ipv4.table(TABLE_MAIN).entries()) {
    if (entry.source4 === source) removeRoute(netns, entry)
  }
}

function isLocalRoute({ fields, type }: RouteEntry, { ip }: Ipv4Address): boolean {
  return type === 'local' && fields.protocol === PROTOCOL_KERNEL && fields.destination === `${ip}/32`
}

function isPrefixRoute({ fields, source4 }: RouteEntry, address: Ipv4Address): boolean {
  return (
    fields.protocol === PROTOCOL_KERNEL &&
    source4 === address.number &&
    fields.destination === prefixFrom(address.ip, address.length) &&
    address.length < 32
  )
}

function isBroadcastRoute({ type, source4 }: RouteEntry, { number }: Ipv4Address): boolean {
  return type === 'broadcast' && source4 === number
}

/** The routes that an address brings: its own, and on a link that is up its network's and its broadcast's. */
function addRoutes(device: Device, address: Ipv4Address): void {
  const primary =
    device.addresses4.find(({ secondary, mask, network }) => {
      return !secondary && mask === address.mask && network === address.network
    }) ?? address
  const source = primary.ip
  add(device, 'local', prefixFrom(address.ip, 32), source)
  if (!device.up || address.secondary || address.length === 32 || address.network >>> 24 === 0) return
  if (!address.noPrefixRoute) {
    add(
      device,
      device.kind === 'loopback' ? 'local' : 'unicast',
      prefixFrom(address.ip, address.length),
      source,
    )
  }
  if (address.length < 31) {
    add(device, 'broadcast', prefixFrom(ipv4FromNumber(address.number | ~address.mask), 32), source)
  }
}

function add(device: Device, type: 'local' | 'unicast' | 'broadcast', destination: Prefix, source: Ip): void {
  const table = type === 'unicast' ? TABLE_MAIN : TABLE_LOCAL
  const scope = type === 'local' ? 'host' : 'link'
  const fields = {
    destination,
    type,
    device,
    source,
    metric: 0,
    table,
    scope,
    protocol: PROTOCOL_KERNEL,
  } as const
  const entry = new RouteEntry(fields)
  const there = device.netns.ipv4
    .table(table)
    .alternatives(entry)
    .some((other) => other.device === device && other.type === type && other.source4 === entry.source4)
  if (!there) insertRoute(device.netns, entry)
}

function notify(device: Device, type: 'new' | 'gone', address: Ipv4Address): void {
  if (device.netns.watched) device.netns.notify({ table: 'addresses', type, row: address.row(device.name) })
}

/** The link came up. */
export function startIpv4(device: Device): void {
  if (device.kind === 'loopback' && find(device, LOOPBACK) === undefined) {
    addAddress4(device, { link: device.name, address: LOOPBACK }, 'ip link set lo up')
  }
  for (const address of device.addresses4) addRoutes(device, address)
}

/** The link went down: its addresses stay, and only their own routes with them. */
export function stopIpv4(device: Device): void {
  removeRoutesOf(device, 4, ({ type }) => type !== 'local')
}

/** The link goes away, or to another namespace. */
export function removeIpv4(device: Device): void {
  for (const address of [...device.addresses4]) {
    if (device.addresses4.includes(address)) remove(device, address)
  }
  removeRoutesOf(device, 4, () => true)
}
