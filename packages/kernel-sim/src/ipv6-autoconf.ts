import { LOOPBACK_IPV6, linkLocalFromMac } from '@podfabric/netaddr'
import type { Device } from './device.ts'
import {
  addMulticastRoute,
  addOwnAddress6,
  addPrefixRoute,
  removeAddress6,
  startDad,
} from './ipv6-address.ts'
import { removeRoutesOf } from './route-changes.ts'

const IPV6_LEAST_MTU = 1280

/** The link was set up: the networks of the addresses that it has already are reachable by it. */
export function ipv6Up(device: Device): void {
  if (!hasIpv6(device)) return
  if (device.kind === 'loopback') addOwnAddress6(device, LOOPBACK_IPV6, 128)
  for (const address of device.addresses6) addPrefixRoute(device, address)
}

/** The link can carry packets now: it gets its link-local address (RFC 4862), and tentative ones are tried. */
export function ipv6Running(device: Device): void {
  if (!hasIpv6(device) || device.kind === 'loopback') return
  addMulticastRoute(device)
  for (const address of [...device.addresses6]) {
    if (address.tentative && address.timer === undefined) startDad(device, address)
  }
  if (device.netns.sysctls.ipv6(device, 'addr_gen_mode') === 0) {
    addOwnAddress6(device, linkLocalFromMac(device.mac), 64)
  }
}

/** The link went down, or away, or IPv6 was switched off on it: no address and no route is left. */
export function ipv6Down(device: Device): void {
  for (const address of [...device.addresses6]) removeAddress6(device, address)
  removeRoutesOf(device, 6, () => true)
  device.neighbors6.clearAll()
}

/** The MTU was another before: below what IPv6 needs there is none of it on the link. */
export function ipv6Resized(device: Device, before: number): void {
  if (device.mtu < IPV6_LEAST_MTU) ipv6Down(device)
  else if (before < IPV6_LEAST_MTU) {
    if (device.up) ipv6Up(device)
    if (device.running) ipv6Running(device)
  }
  for (const route of device.routes) {
    const follows = route.mtu >= device.mtu || route.mtu === before
    if (route.family === 6 && route.mtu !== 0 && follows) route.mtu = device.mtu
  }
}

/** Whether the link has IPv6: one too small for it has none (RFC 8200 section 5). */
export function hasIpv6(device: Device): boolean {
  return device.mtu >= IPV6_LEAST_MTU && device.netns.sysctls.ipv6(device, 'disable_ipv6') === 0
}
