import { KernelError, type Neighbor, type NeighborKey } from '@podfabric/kernel'
import { isV4, type Mac, macToNumber, UNSPECIFIED_IPV4, ZERO_MAC } from '@podfabric/netaddr'
import { linkNamed } from './link-operations.ts'
import type { NeighborTable } from './neighbor-table.ts'
import type { NetworkNamespace } from './network-namespace.ts'

function tableFor(netns: NetworkNamespace, row: NeighborKey, operation: string): NeighborTable {
  const device = linkNamed(netns, row.link, operation)
  return isV4(row.address) ? device.neighbors4 : device.neighbors6
}

/** RFC 8200 section 5: a link that carries less has no IPv6. */
function isSmall(netns: NetworkNamespace, { link }: NeighborKey): boolean {
  return (netns.find(link)?.mtu ?? 0) < 1280
}

function checkFamily(netns: NetworkNamespace, row: NeighborKey, operation: string): void {
  const device = linkNamed(netns, row.link, operation)
  if (isV4(row.address)) return
  if (netns.sysctls.ipv6(device, 'disable_ipv6') === 0 && !isSmall(netns, row)) return
  throw new KernelError('EINVAL', operation, `there is no IPv6 on ${device.name}`)
}

/** EEXIST; a proxy entry may be added again, as on Linux. EINVAL without a MAC address that the state needs. */
export function addNeighbor(netns: NetworkNamespace, row: Neighbor, operation: string): void {
  const table = tableFor(netns, row, operation)
  if (!row.proxy && table.get(row.address) !== undefined) {
    throw new KernelError('EEXIST', operation, `${row.link} knows ${row.address} already`)
  }
  replaceNeighbor(netns, row, operation)
}

export function replaceNeighbor(netns: NetworkNamespace, row: Neighbor, operation: string): void {
  const table = tableFor(netns, row, operation)
  if (row.proxy) {
    if (!isV4(row.address) && isSmall(netns, row)) {
      throw new KernelError('ENOBUFS', operation, `the MTU of ${row.link} is too little for IPv6`)
    }
    table.addProxy(row.address, row.protocol)
    return
  }
  checkFamily(netns, row, operation)
  const state = row.state ?? 'permanent'
  const known = table.get(row.address)
  if (row.mac === undefined && state !== 'incomplete' && state !== 'failed' && !known?.hasMac) {
    throw new KernelError('EINVAL', operation, `a neighbor that is ${state} has a MAC address`)
  }
  const { high, low } = halves(row.mac ?? known?.mac ?? ZERO_MAC)
  // On the loopback link, IPv4 has one entry for all addresses (arp_constructor).
  const onLoopback = isV4(row.address) && row.link === netns.loopback.name
  table.set(table.ensure(onLoopback ? UNSPECIFIED_IPV4 : row.address), row, high, low)
}

/** ENOENT. */
export function deleteNeighbor(netns: NetworkNamespace, key: NeighborKey, operation: string): void {
  const table = tableFor(netns, key, operation)
  if (key.proxy) {
    if (!table.deleteProxy(key.address)) throw absent(operation)
    return
  }
  const entry = table.get(key.address)
  if (entry === undefined) throw absent(operation)
  table.delete(entry)
}

function absent(operation: string): KernelError {
  return new KernelError('ENOENT', operation, 'there is no such entry')
}

export function listNeighbors(netns: NetworkNamespace): Neighbor[] {
  const links = netns.links()
  return [
    ...links.flatMap((device) => device.neighbors4.rows()),
    ...links.flatMap((device) => device.neighbors6.rows()),
  ]
}

/** The upper 16 and the lower 32 bits, the latter signed. */
export function halves(mac: Mac): { readonly high: number; readonly low: number } {
  const number = macToNumber(mac)
  return { high: Math.floor(number / 0x1_0000_0000), low: number | 0 }
}
