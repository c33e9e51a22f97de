import {
  type BridgeSpec,
  KernelError,
  type LinkChange,
  type LinkSpec,
  type Netns,
  type VethSpec,
  type VxlanSpec,
} from '@podfabric/kernel'
import { isLinkLocal, isMulticast, isV4, type Mac } from '@podfabric/netaddr'
import { VXLAN_PORT_LINUX } from '@podfabric/overlay'
import { Bridge } from './bridge.ts'
import { checkMac, type Device } from './device.ts'
import { ipv6Resized } from './ipv6-autoconf.ts'
import { deleteLink } from './link-removal.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { Nic } from './nic.ts'
import { Veth } from './veth.ts'
import { Vxlan } from './vxlan.ts'

/** Octets of a name, and of an alias, without the zero at the end. */
const NAME_LIMIT = 15
const ALIAS_LIMIT = 255
/** What Ethernet links take. */
const LEAST_MTU = 68
const LARGEST_MTU = 65_535

/** Finds the namespace behind a reference of the same node. */
export type Resolve = (netns: Netns) => NetworkNamespace

/** ENODEV. */
export function linkNamed(netns: NetworkNamespace, name: string, operation: string): Device {
  const device = netns.find(name)
  if (device === undefined) throw new KernelError('ENODEV', operation, `there is no link ${name}`)
  return device
}

/** EEXIST, EINVAL, ERANGE, and whatever the parts of the specification are refused for. Nothing is left of what fails. */
export function addLink(netns: NetworkNamespace, spec: LinkSpec, resolve: Resolve, operation: string): void {
  checkName(spec.name, operation)
  checkAlias(spec.alias, operation)
  if (spec.bridge !== undefined) linkNamed(netns, spec.bridge, operation)
  if (spec.kind !== 'bridge') checkWishedMtu(spec.mtu, operation)
  if (spec.kind === 'veth') checkWishedMtu(spec.peer.mtu, operation)
  if (spec.kind === 'vxlan') checkVxlan(netns, spec, operation)
  if (spec.mac !== undefined) checkMac(spec.mac, operation)
  checkFree(netns, spec.name, operation)
  const device = make(netns, spec, resolve, operation)
  try {
    if (spec.alias) device.alias = spec.alias
    if (spec.bridge !== undefined) bridgeNamed(netns, spec.bridge, operation).addPort(device, operation)
    if (spec.up) setUp(device, true, operation)
  } catch (error) {
    deleteLink(device)
    throw error
  }
}

function make(netns: NetworkNamespace, spec: LinkSpec, resolve: Resolve, operation: string): Device {
  switch (spec.kind) {
    case 'veth':
      return makeVeth(netns, spec, resolve, operation)
    case 'bridge':
      return makeBridge(netns, spec, operation)
    case 'vxlan':
      return makeVxlan(netns, spec, operation)
  }
}

function makeVeth(netns: NetworkNamespace, spec: VethSpec, resolve: Resolve, operation: string): Device {
  const { peer: wish } = spec
  const there = wish.netns === undefined ? netns : resolve(wish.netns)
  checkName(wish.name, operation)
  checkFree(there, wish.name, operation)
  if (there === netns && wish.name === spec.name) {
    throw new KernelError('EEXIST', operation, `both ends would be ${wish.name}`)
  }
  if (wish.mac !== undefined) checkMac(wish.mac, operation)
  const device = new Veth(netns, spec.name)
  const peer = new Veth(there, wish.name)
  device.peer = peer
  peer.peer = device
  dress(device, spec.mac, spec.mtu, operation)
  dress(peer, wish.mac, wish.mtu, operation)
  // As on Linux the far end is registered first.
  there.add(peer)
  netns.add(device)
  return device
}

function makeBridge(netns: NetworkNamespace, spec: BridgeSpec, operation: string): Device {
  const device = new Bridge(netns, spec.name)
  dress(device, spec.mac, spec.mtu, operation)
  if (spec.mac !== undefined) device.chooseMac()
  if (spec.ageing !== undefined) {
    if (!(spec.ageing >= 0)) throw new KernelError('EINVAL', operation, `ageing ${spec.ageing} is no time`)
    device.ageing = spec.ageing
  }
  netns.add(device)
  return device
}

function checkVxlan(netns: NetworkNamespace, { vni, underlay, local }: VxlanSpec, operation: string): void {
  if (underlay !== undefined) linkNamed(netns, underlay, operation)
  if (!Number.isInteger(vni) || vni < 0 || vni > 0xff_ffff) {
    throw new KernelError('ERANGE', operation, `vni ${vni} is not a number of 24 bits`)
  }
  if (local !== undefined && isMulticast(local)) {
    throw new KernelError('EINVAL', operation, `${local} is a group, and no source`)
  }
  if (underlay === undefined && local !== undefined && !isV4(local) && isLinkLocal(local)) {
    throw new KernelError('EINVAL', operation, `${local} says nothing without a link`)
  }
}

function makeVxlan(netns: NetworkNamespace, spec: VxlanSpec, operation: string): Device {
  const { vni, udpPort = VXLAN_PORT_LINUX, local, learning = true } = spec
  const underlay = spec.underlay === undefined ? undefined : linkNamed(netns, spec.underlay, operation)
  const family = local === undefined || isV4(local) ? 4 : 6
  const twin = netns.vxlans().find((other) => {
    return other.vni === vni && other.udpPort === udpPort && other.outerFamily === family
  })
  if (twin !== undefined) {
    throw new KernelError('EEXIST', operation, `${twin.name} has VNI ${vni} at port ${udpPort} already`)
  }
  const device = new Vxlan(netns, spec.name, { vni, udpPort, local, underlay, learning })
  // A wish for more than the underlay carries is cut down, unlike a later change (vxlan_config_apply).
  dress(device, spec.mac, spec.mtu && Math.min(spec.mtu, device.maxMtu), operation)
  netns.addVxlan(device)
  netns.add(device)
  return device
}

function dress(device: Device, mac: Mac | undefined, mtu: number | undefined, operation: string): void {
  if (mtu !== undefined) {
    device.checkMtu(mtu, operation)
    device.mtu = mtu
  }
  if (mac === undefined) device.randomMac()
  else device.setMac(mac)
}

function checkName(name: string, operation: string): void {
  const octets = new TextEncoder().encode(name).length
  if (octets > NAME_LIMIT) {
    throw new KernelError('ERANGE', operation, `the name has ${octets} octets, at most ${NAME_LIMIT} fit`)
  }
  if (name === '' || name === '.' || name === '..' || /[/:\s]/.test(name)) {
    throw new KernelError('EINVAL', operation, `${JSON.stringify(name)} is no name of a link`)
  }
}

/** Kinds of links that look at it themselves do so before anything else (veth_validate, vxlan_validate). */
function checkWishedMtu(mtu: number | undefined, operation: string): void {
  if (mtu === undefined || (mtu >= LEAST_MTU && mtu <= LARGEST_MTU)) return
  throw new KernelError('EINVAL', operation, `mtu ${mtu} is not between ${LEAST_MTU} and ${LARGEST_MTU}`)
}

function checkAlias(alias: string | undefined, operation: string): void {
  if (alias === undefined || new TextEncoder().encode(alias).length <= ALIAS_LIMIT) return
  throw new KernelError('ERANGE', operation, `the alias is longer than ${ALIAS_LIMIT} octets`)
}

function checkFree(netns: NetworkNamespace, name: string, operation: string): void {
  if (netns.find(name) !== undefined) {
    throw new KernelError('EEXIST', operation, `there is a link ${name} already`)
  }
}

function bridgeNamed(netns: NetworkNamespace, name: string, operation: string): Bridge {
  const bridge = linkNamed(netns, name, operation)
  if (bridge instanceof Bridge) return bridge
  throw new KernelError('EOPNOTSUPP', operation, `${name} is no bridge`)
}

function setUp(device: Device, up: boolean, operation: string): void {
  if (up && !device.up && device instanceof Vxlan) device.open(operation)
  device.setUp(up)
}

/** Changes one thing after the other, in Linux' order; what is done before one fails stays done. */
export function setLink(
  netns: NetworkNamespace,
  name: string,
  change: LinkChange,
  resolve: Resolve,
  operation: string,
): void {
  const device = linkNamed(netns, name, operation)
  if (change.netns !== undefined) moveLink(device, resolve(change.netns), change.name ?? name, operation)
  if (change.mac !== undefined) setMac(device, change.mac, operation)
  if (change.mtu !== undefined) setMtu(device, change.mtu, operation)
  // An empty name is no wish.
  if (change.name && change.name !== device.name) {
    checkName(change.name, operation)
    checkFree(device.netns, change.name, operation)
    device.netns.rename(device, change.name)
  }
  if (change.alias !== undefined) {
    checkAlias(change.alias, operation)
    device.alias = change.alias === '' ? undefined : change.alias
    device.changed()
  }
  if (change.bridge !== undefined) setBridge(device, change.bridge, operation)
  if (change.up !== undefined) setUp(device, change.up, operation)
  if (change.port !== undefined) setPort(device, change.port, operation)
}

function setMac(device: Device, mac: Mac, operation: string): void {
  checkMac(mac, operation)
  const { macHigh, macLow, port } = device
  device.changeMac(mac)
  if (device instanceof Bridge) device.chooseMac()
  port?.bridge.portMacChanged(port, macHigh, macLow)
  device.changed()
}

function setMtu(device: Device, mtu: number, operation: string): void {
  device.checkMtu(mtu, operation)
  const before = device.mtu
  device.mtu = mtu
  if (device instanceof Bridge) device.mtuChosen = true
  device.port?.bridge.portMtuChanged()
  ipv6Resized(device, before)
  device.changed()
}

function setBridge(device: Device, name: string | null, operation: string): void {
  const wish = name === null ? undefined : linkNamed(device.netns, name, operation)
  if (device.port?.bridge === wish) return
  // It has left the one before it is looked whether the other takes it (do_set_master).
  device.port?.bridge.removePort(device)
  if (wish !== undefined) bridgeNamed(device.netns, wish.name, operation).addPort(device, operation)
}

function setPort(device: Device, change: NonNullable<LinkChange['port']>, operation: string): void {
  const { port } = device
  if (port === undefined)
    throw new KernelError('EOPNOTSUPP', operation, `${device.name} is no port of a bridge`)
  port.hairpin = change.hairpin ?? port.hairpin
  port.learning = change.learning ?? port.learning
  port.flood = change.flood ?? port.flood
  port.isolated = change.isolated ?? port.isolated
  device.changed()
}

/** It arrives down and without addresses. EINVAL for links that belong to their namespace. */
function moveLink(device: Device, to: NetworkNamespace, name: string, operation: string): void {
  if (to === device.netns) return
  if (device.kind === 'loopback' || device.kind === 'bridge') {
    throw new KernelError('EINVAL', operation, `a ${device.kind} cannot leave its namespace`)
  }
  checkName(name, operation)
  checkFree(to, name, operation)
  device.netns.remove(device)
  device.name = name
  to.add(device)
}

/** ENODEV; EOPNOTSUPP for links that are not made by hand. */
export function removeLink(netns: NetworkNamespace, name: string, operation: string): void {
  const device = linkNamed(netns, name, operation)
  if (device.kind === 'loopback' || device instanceof Nic) {
    throw new KernelError('EOPNOTSUPP', operation, `${name} cannot be deleted`)
  }
  deleteLink(device)
}
