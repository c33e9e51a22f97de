import type { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { Nic } from './nic.ts'
import { Veth } from './veth.ts'
import { Vxlan } from './vxlan.ts'

/** Ends a link, and those that cannot be without it: the other end of a pair, tunnels over it. */
export function deleteLink(device: Device): void {
  const { netns } = device
  for (const other of [...netns.vxlans()]) if (other.underlay === device) deleteLink(other)
  netns.destroyLink(device)
  if (device instanceof Vxlan) device.home.deleteVxlan(device)
  if (!(device instanceof Veth)) return
  const { peer } = device
  device.peer = undefined
  if (peer === undefined) return
  peer.peer = undefined
  deleteLink(peer)
}

/** The links of a namespace that ends: network cards go back to the node's own, the others end. */
export function deleteLinksOf(netns: NetworkNamespace, host: NetworkNamespace): void {
  for (const device of [...netns.links()].reverse()) {
    if (device.netns !== netns || device === netns.loopback) continue
    if (device instanceof Nic && host !== netns) {
      netns.remove(device)
      if (host.find(device.name) !== undefined) device.name = `dev${device.index}`
      host.add(device)
    } else {
      deleteLink(device)
    }
  }
  for (const vxlan of [...netns.vxlans()]) deleteLink(vxlan)
}
