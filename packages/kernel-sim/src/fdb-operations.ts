import { type FdbEntry, type FdbKey, KernelError } from '@podfabric/kernel'
import { isGroupMac, isV4, type Mac, ZERO_MAC } from '@podfabric/netaddr'
import { Bridge } from './bridge.ts'
import { BridgeFdbEntry } from './bridge-fdb.ts'
import type { BridgePort } from './bridge-port.ts'
import type { Device } from './device.ts'
import { linkNamed } from './link-operations.ts'
import { halves } from './neighbor-operations.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { Vxlan } from './vxlan.ts'
import { VxlanRemote } from './vxlan-fdb.ts'

type FdbVerb = 'add' | 'replace' | 'append'

/** EEXIST, EINVAL, EOPNOTSUPP, EPERM, EAFNOSUPPORT, each where Linux has it. */
export function changeFdb(netns: NetworkNamespace, verb: FdbVerb, entry: FdbEntry, operation: string): void {
  const device = etherNamed(netns, entry.link, operation)
  if (entry.owner === 'master') {
    const port = portOf(device, operation)
    return changeBridgeFdb(port.bridge, port, verb, entry, operation)
  }
  if (device instanceof Bridge) return changeBridgeFdb(device, undefined, verb, entry, operation)
  if (device instanceof Vxlan) return changeVxlanFdb(device, verb, entry, operation)
  if ((entry.state ?? 'permanent') !== 'permanent') {
    throw new KernelError('EINVAL', operation, "a link's own addresses are permanent")
  }
  if (device.filter?.has(entry.mac)) {
    if (verb === 'add') throw exists(operation)
    return
  }
  device.filter ??= new Set()
  device.filter.add(entry.mac)
  if (netns.watched) netns.notify({ table: 'fdb', type: 'new', row: filterRow(device, entry.mac) })
}

function etherNamed(netns: NetworkNamespace, name: string, operation: string): Device {
  const device = linkNamed(netns, name, operation)
  if (device.kind !== 'loopback') return device
  throw new KernelError('EINVAL', operation, 'only Ethernet links have a forwarding database')
}

function exists(operation: string): KernelError {
  return new KernelError('EEXIST', operation, 'there is such an entry already')
}

function filterRow({ name }: Device, mac: Mac): FdbEntry {
  return { link: name, mac, state: 'permanent', owner: 'self' }
}

function portOf(device: Device, operation: string): BridgePort {
  if (device.port !== undefined) return device.port
  throw new KernelError('EOPNOTSUPP', operation, `${device.name} is no port of a bridge`)
}

/** Without a port the entry leads to the bridge's own interface. */
function changeBridgeFdb(
  bridge: Bridge,
  port: BridgePort | undefined,
  verb: FdbVerb,
  row: FdbEntry,
  operation: string,
): void {
  const state = row.state ?? 'permanent'
  if (row.mac === ZERO_MAC) throw new KernelError('EINVAL', operation, `${row.mac} is no MAC address`)
  if (port === undefined && state !== 'permanent') {
    throw new KernelError('EINVAL', operation, 'an entry of the bridge itself is permanent')
  }
  if (port !== undefined && state === 'dynamic' && !port.forwarding) {
    throw new KernelError('EPERM', operation, `${port.device.name} is not forwarding`)
  }
  const { fdb } = bridge
  const { high, low } = halves(row.mac)
  const known = fdb.get(high, low)
  if (known !== undefined && verb !== 'replace') throw exists(operation)
  if (known !== undefined) fdb.delete(known)
  const entry = new BridgeFdbEntry(high, low, port, state, bridge.simulation.clock.now())
  entry.byHand = true
  fdb.add(entry)
}

function changeVxlanFdb(device: Vxlan, verb: FdbVerb, row: FdbEntry, operation: string): void {
  const { destination, mac } = row
  if (destination === undefined) {
    throw new KernelError('EINVAL', operation, 'an entry of a vxlan link has a destination')
  }
  const { fdb } = device
  const state = row.state ?? 'permanent'
  if (state === 'static') {
    throw new KernelError('EINVAL', operation, 'an entry of a vxlan link is permanent or dynamic')
  }
  if ((isV4(destination) ? 4 : 6) !== device.outerFamily) {
    throw new KernelError('EAFNOSUPPORT', operation, `${device.name} tunnels over IPv${device.outerFamily}`)
  }
  const known = fdb.getMac(mac)
  const many = mac === ZERO_MAC || isGroupMac(mac)
  if (verb === 'replace' && many) {
    throw new KernelError('EOPNOTSUPP', operation, `${mac} has several destinations: delete and append`)
  }
  if (known === undefined) {
    fdb.add(mac, new VxlanRemote(destination), state)
    return
  }
  if (verb === 'add') throw exists(operation)
  const remote = new VxlanRemote(destination)
  if (verb === 'append') {
    // A unicast address has one destination: Linux takes the wish and does nothing.
    if (!many || known.remotes.some(({ ip }) => ip === destination)) return
    known.remotes.push(remote)
  } else {
    if (many)
      throw new KernelError('EOPNOTSUPP', operation, `${mac} has several destinations: delete and append`)
    known.remotes.splice(0, known.remotes.length, remote)
    known.state = state
  }
  fdb.notify('new', known, remote)
}

/** ENOENT. */
export function deleteFdb(netns: NetworkNamespace, key: FdbKey, operation: string): void {
  const device = etherNamed(netns, key.link, operation)
  const { high, low } = halves(key.mac)
  if (key.owner === 'master') {
    const port = portOf(device, operation)
    return deleteBridgeFdb(port.bridge, port, high, low, operation)
  }
  if (device instanceof Bridge) return deleteBridgeFdb(device, undefined, high, low, operation)
  if (device instanceof Vxlan) return deleteVxlanFdb(device, key, operation)
  if (!device.filter?.delete(key.mac)) throw absent(operation)
  if (netns.watched) netns.notify({ table: 'fdb', type: 'gone', row: filterRow(device, key.mac) })
}

function deleteBridgeFdb(
  { fdb }: Bridge,
  port: BridgePort | undefined,
  high: number,
  low: number,
  operation: string,
): void {
  const entry = fdb.get(high, low)
  if (entry === undefined || entry.port !== port) throw absent(operation)
  fdb.delete(entry)
}

function deleteVxlanFdb({ fdb }: Vxlan, { mac, destination }: FdbKey, operation: string): void {
  const entry = fdb.getMac(mac)
  if (entry === undefined) throw absent(operation)
  if (destination === undefined) return fdb.delete(entry)
  const at = entry.remotes.findIndex(({ ip }) => ip === destination)
  // Linux says nothing of a destination that the entry does not have.
  if (at < 0) return
  if (entry.remotes.length === 1) return fdb.delete(entry)
  const [gone] = entry.remotes.splice(at, 1)
  if (gone !== undefined) fdb.notify('gone', entry, gone)
}

export function listFdb(netns: NetworkNamespace): FdbEntry[] {
  const rows: FdbEntry[] = []
  for (const device of netns.links()) {
    if (device instanceof Bridge) rows.push(...device.fdb.rows())
    if (device instanceof Vxlan) rows.push(...device.fdb.rows())
    for (const mac of device.filter ?? []) if (!isGroupMac(mac)) rows.push(filterRow(device, mac))
  }
  return rows
}

function absent(operation: string): KernelError {
  return new KernelError('ENOENT', operation, 'there is no such entry')
}
