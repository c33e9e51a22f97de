import { type Address, KernelError } from '@podfabric/kernel'
import {
  addressOf,
  type IfAddress,
  type Ip,
  type Ipv6,
  ipToBytes,
  isLinkLocal,
  isMulticast,
  isUnspecified,
  LOOPBACK_IPV6,
  type Prefix,
  prefixFrom,
  prefixLength,
} from '@podfabric/netaddr'
import type { Device } from './device.ts'
import { dadSolicit } from './nd.ts'
import { insertRoute, removeRoute, removeRoutesOf } from './route-changes.ts'
import { PROTOCOL_KERNEL, RouteEntry, TABLE_LOCAL, TABLE_MAIN } from './route-entry.ts'

const METRIC = 256
/** RFC 8200 section 5. */
const LEAST_MTU = 1280
/** How long a duplicate may take to object: RetransTimer of RFC 4861. */
const DAD_TIME = 1000
/** MAX_RTR_SOLICITATION_DELAY of RFC 4861. */
const DAD_DELAY = 1000

/** An IPv6 address of a link. */
export class Ipv6Address {
  readonly address: IfAddress
  readonly ip: Ip
  readonly octets: Uint8Array
  readonly length: number
  readonly scope: NonNullable<Address['scope']>
  noPrefixRoute: boolean
  readonly noDad: boolean
  /** Duplicate address detection is not over: the address cannot be used yet. */
  tentative: boolean
  timer: Disposable | undefined = undefined

  constructor(row: Address) {
    this.address = row.address
    this.ip = addressOf(row.address)
    this.octets = ipToBytes(this.ip)
    this.length = prefixLength(row.address)
    this.scope = this.ip === LOOPBACK_IPV6 ? 'host' : isLinkLocal(this.ip) ? 'link' : 'global'
    this.noPrefixRoute = row.noPrefixRoute ?? false
    this.noDad = row.noDad ?? false
    this.tentative = !this.noDad
  }

  row(link: string): Address {
    const { address, scope, noPrefixRoute, noDad, tentative } = this
    return {
      link,
      address,
      scope,
      ...(noPrefixRoute && { noPrefixRoute }),
      ...(noDad && { noDad }),
      ...(tentative && { tentative }),
    }
  }
}

/** EEXIST where the link has the address, with whichever length; EACCES where IPv6 is off. */
export function addAddress6(device: Device, row: Address, operation: string): void {
  const added = new Ipv6Address(row)
  const elsewhere = added.ip === LOOPBACK_IPV6 && device.kind !== 'loopback'
  if (isUnspecified(added.ip) || isMulticast(added.ip) || elsewhere) {
    throw new KernelError('EADDRNOTAVAIL', operation, `${added.ip} is no address of a host`)
  }
  if (device.netns.sysctls.ipv6(device, 'disable_ipv6') !== 0) {
    throw new KernelError('EACCES', operation, `IPv6 is switched off on ${device.name}`)
  }
  if (device.mtu < LEAST_MTU) {
    throw new KernelError(
      'EINVAL',
      operation,
      `the MTU of ${device.name} is below ${LEAST_MTU}, too little for IPv6`,
    )
  }
  if (device.addresses6.some(({ ip }) => ip === added.ip)) {
    throw new KernelError('EEXIST', operation, `${device.name} has the address already`)
  }
  insert(device, added)
}

/** Changes what can be changed of an address that is there, else adds it. */
export function replaceAddress6(device: Device, row: Address, operation: string): void {
  const ip = addressOf(row.address)
  const known = device.addresses6.find((candidate) => candidate.ip === ip)
  if (known === undefined) return addAddress6(device, row, operation)
  known.noPrefixRoute = row.noPrefixRoute ?? false
  if (known.noPrefixRoute) removePrefixRoute(device, known)
  else if (device.up) addPrefixRoute(device, known)
  notify(device, 'new', known)
}

/** EADDRNOTAVAIL. */
export function deleteAddress6(device: Device, address: IfAddress, operation: string): void {
  if (device.mtu < LEAST_MTU) throw new KernelError('ENXIO', operation, `${device.name} has no IPv6`)
  const known = device.addresses6.find((candidate) => candidate.address === address)
  if (known === undefined) {
    throw new KernelError('EADDRNOTAVAIL', operation, `${device.name} does not have the address`)
  }
  removeAddress6(device, known)
}

/** The newest first, wider scopes before narrower ones, as Linux lists them. */
function insert(device: Device, added: Ipv6Address): void {
  const { addresses6 } = device
  const place = addresses6.findIndex(({ scope }) => rank(scope) >= rank(added.scope))
  addresses6.splice(place < 0 ? addresses6.length : place, 0, added)
  if (device.kind === 'loopback') added.tentative = false
  if (!added.tentative) addLocalRoute(device, added)
  if (device.up) addPrefixRoute(device, added)
  notify(device, 'new', added)
  if (added.tentative && device.running) startDad(device, added)
}

function rank(scope: Ipv6Address['scope']): number {
  return scope === 'global' ? 0 : scope === 'link' ? 1 : 2
}

/** Adds an address that the kernel makes itself: link-local, ::1. */
export function addOwnAddress6(device: Device, ip: Ipv6, length: number): void {
  if (device.addresses6.some((known) => known.ip === ip)) return
  insert(device, new Ipv6Address({ link: device.name, address: `${ip}/${length}` as IfAddress }))
}

export function removeAddress6(device: Device, address: Ipv6Address): void {
  address.timer?.[Symbol.dispose]()
  address.timer = undefined
  device.addresses6.splice(device.addresses6.indexOf(address), 1)
  const own = prefixFrom(address.ip, 128)
  removeRoutesOf(device, 6, ({ type, fields }) => type === 'local' && fields.destination === own)
  const network = prefixFrom(address.ip, address.length)
  if (!device.addresses6.some((other) => prefixFrom(other.ip, other.length) === network)) {
    removePrefixRoute(device, address)
    removeRoutesOf(device, 6, (entry) => entry.type === 'anycast' && isAnycastOf(entry, address))
  }
  for (const entry of [...device.routes]) {
    if (entry.family !== 6 || entry.fields.source !== address.ip) continue
    removeRoute(device.netns, entry)
    insertRoute(device.netns, new RouteEntry({ ...entry.fields, source: undefined }))
  }
  notify(device, 'gone', address)
}

function removePrefixRoute(device: Device, { ip, length }: Ipv6Address): void {
  const network = prefixFrom(ip, length)
  removeRoutesOf(device, 6, ({ type, fields }) => {
    return type === 'unicast' && fields.protocol === PROTOCOL_KERNEL && fields.destination === network
  })
}

function isAnycastOf({ fields }: RouteEntry, { ip, length }: Ipv6Address): boolean {
  return fields.destination === prefixFrom(prefixFrom(ip, length).split('/')[0] as Ip, 128)
}

/** Asks whether somebody has the address already, and takes it where nobody objects in time. */
export function startDad(device: Device, address: Ipv6Address): void {
  const { sysctls } = device.netns
  const off = sysctls.ipv6(device, 'accept_dad') < 1 && sysctls.allIpv6('accept_dad') < 1
  const times = sysctls.ipv6(device, 'dad_transmits')
  if (off || times === 0) return completeDad(device, address)
  let left = times
  const again = (): void => {
    if (left-- === 0) return completeDad(device, address)
    address.timer = device.simulation.after(DAD_TIME, again)
    dadSolicit(device, address.octets)
  }
  // All links of a node that boots would ask at once: each waits a random part of a second first.
  address.timer = device.simulation.after(device.simulation.randomBelow(DAD_DELAY), again)
}

function completeDad(device: Device, address: Ipv6Address): void {
  address.timer = undefined
  address.tentative = false
  addLocalRoute(device, address)
  notify(device, 'new', address)
}

/** Somebody else has the address: it stays tentative for good, as `dadfailed`. */
export function failDad(address: Ipv6Address): void {
  address.timer?.[Symbol.dispose]()
  address.timer = undefined
}

function addLocalRoute(device: Device, address: Ipv6Address): void {
  add(device, 'local', prefixFrom(address.ip, 128), TABLE_LOCAL, 0)
  if (device.netns.sysctls.forwarding6) addAnycastRoute(device, address)
}

/** The subnet-router anycast address of an address' network, RFC 4291 section 2.6.1. Routers have it. */
export function addAnycastRoute(device: Device, address: Ipv6Address): void {
  if (address.tentative || address.length >= 127) return
  const network = prefixFrom(address.ip, address.length).split('/')[0] as Ip
  add(device, 'anycast', prefixFrom(network, 128), TABLE_LOCAL, 0)
}

export function addPrefixRoute(device: Device, address: Ipv6Address): void {
  if (address.noPrefixRoute || address.ip === LOOPBACK_IPV6) return
  add(device, 'unicast', prefixFrom(address.ip, address.length), TABLE_MAIN, METRIC)
}

export function addMulticastRoute(device: Device): void {
  add(device, 'multicast', 'ff00::/8' as Prefix, TABLE_LOCAL, METRIC)
}

type OwnType = 'local' | 'unicast' | 'multicast' | 'anycast'

function add(device: Device, type: OwnType, destination: Prefix, table: number, metric: number): void {
  const entry = new RouteEntry({ destination, type, device, metric, table, protocol: PROTOCOL_KERNEL })
  const there = device.netns.ipv6
    .table(table)
    .alternatives(entry)
    .some((other) => other.device === device && other.type === type)
  if (!there) insertRoute(device.netns, entry)
}

function notify(device: Device, type: 'new' | 'gone', address: Ipv6Address): void {
  if (device.netns.watched) device.netns.notify({ table: 'addresses', type, row: address.row(device.name) })
}
