import { type Ip, ipFromBytes } from '@podfabric/netaddr'
import { u16At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { ETHERNET } from './frame.ts'
import { drop, hop } from './hops.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'
import type { Packet } from './packet.ts'
import type { UdpEndpoint } from './udp-table.ts'
import type { Vxlan } from './vxlan.ts'

const UDP_HEADER = 8
const VXLAN_HEADER = 8
const VNI_IS_VALID = 0x08

/** The UDP socket that the vxlan links of one namespace share at a port. */
export class VxlanPort implements UdpEndpoint {
  readonly family: 4 | 6
  readonly port: number
  readonly address = undefined
  readonly uncheckedIpv6 = true
  readonly links = new Map<number, Vxlan>()

  constructor(family: 4 | 6, port: number) {
    this.family = family
    this.port = port
  }

  receive(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
    const { bytes, end, start } = packet
    const header = at + UDP_HEADER
    if (end < header + VXLAN_HEADER || ((bytes[header] as number) & VNI_IS_VALID) === 0) {
      return drop(netns, device, packet, 'MALFORMED', 'ip')
    }
    const vni = ((bytes[header + 4] as number) << 16) | u16At(bytes, header + 5)
    const link = this.links.get(vni)
    if (link === undefined) return drop(netns, device, packet, 'UNKNOWN_VNI', 'ip', { vni })
    const inner = header + VXLAN_HEADER
    if (end < inner + ETHERNET) return drop(netns, device, packet, 'MALFORMED', 'ip')
    const peer = start + (packet.family === 4 ? 12 : 8)
    packet.start = inner
    packet.scrub(link.netns !== netns)
    const high = u16At(bytes, inner + 6)
    const low = i32At(bytes, inner + 8)
    if (high === link.macHigh && low === link.macLow)
      return drop(link.netns, link, packet, 'LOOP', 'ethernet')
    if (link.simulation.tracing) {
      const because = { vni, peer: peerOf(packet, peer) }
      hop(link.netns, link, packet, 'decapsulate', 'TUNNEL_PEER', because, 'ethernet')
    }
    if (link.learning && ((bytes[inner + 6] as number) & 1) === 0) {
      link.fdb.learn(high, low, bytes, peer, packet.family)
    }
    link.receive(packet)
  }
}

/** The links at a port, made where the link is the first there. EADDRINUSE where a socket has the port. */
export function joinVxlanPort(link: Vxlan, operation: string): void {
  const { vxlanPorts: ports } = link.home
  const key = keyOf(link)
  let port = ports.get(key)
  if (port === undefined) {
    port = new VxlanPort(link.outerFamily, link.udpPort)
    link.home.udp.bind(port, operation)
    ports.set(key, port)
  }
  port.links.set(link.vni, link)
}

export function leaveVxlanPort(link: Vxlan): void {
  const { vxlanPorts: ports } = link.home
  const key = keyOf(link)
  const port = ports.get(key)
  if (port?.links.get(link.vni) !== link) return
  port.links.delete(link.vni)
  if (port.links.size > 0) return
  ports.delete(key)
  link.home.udp.unbind(port)
}

function keyOf(link: Vxlan): string {
  return `${link.outerFamily}/${link.udpPort}`
}

function peerOf({ bytes, family }: Packet, at: number): Ip {
  return family === 4 ? ipFromBytes(bytes, at, 4) : ipFromBytes(bytes, at, 6)
}
