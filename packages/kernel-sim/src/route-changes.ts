import type { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { RouteEntry } from './route-entry.ts'
import type { RouteTable4, RouteTable6 } from './route-table.ts'

/** The table that a route is in or goes to. */
export function tableOf(netns: NetworkNamespace, entry: RouteEntry): RouteTable4 | RouteTable6 {
  return entry.family === 4 ? netns.ipv4.table(entry.table) : netns.ipv6.table(entry.table)
}

export function insertRoute(netns: NetworkNamespace, entry: RouteEntry): void {
  tableOf(netns, entry).add(entry)
  changed(netns, 'new', entry)
}

export function removeRoute(netns: NetworkNamespace, entry: RouteEntry): void {
  tableOf(netns, entry).delete(entry)
  changed(netns, 'gone', entry)
}

/** Removes the routes of one family that lead out by the device and that `which` picks. */
export function removeRoutesOf(device: Device, family: 4 | 6, which: (entry: RouteEntry) => boolean): void {
  for (const entry of [...device.routes]) {
    if (entry.family === family && which(entry)) removeRoute(device.netns, entry)
  }
}

function changed(netns: NetworkNamespace, type: 'new' | 'gone', entry: RouteEntry): void {
  if (entry.family === 4) netns.ipv4.routesChanged()
  else netns.ipv6.routesChanged()
  if (netns.watched) netns.notify({ table: 'routes', type, row: entry.row() })
}
