import { KernelError } from '@podfabric/kernel'
import type { Ip } from '@podfabric/netaddr'
import { ipFromBytes, ipv4ToNumber, isLimitedBroadcast, isMulticast, isV4 } from '@podfabric/netaddr'
import { ipProtocols, ipv4HeaderLengthAt } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop, hop, NOTHING } from './hops.ts'
import { isBindable, sendAlong, type Way, wayTo } from './ip-send.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { Packet } from './packet.ts'
import type { TcpEnvironment, TcpFlow } from './tcp.ts'

/** A TCP segment over IPv4 for this namespace. */
export function tcpInput4(netns: NetworkNamespace, device: Device, packet: Packet): void {
  tcpInputAt(netns, device, packet, packet.start + ipv4HeaderLengthAt(packet.bytes, packet.start))
}

/** A TCP segment of either family whose header is at `at`. */
export function tcpInputAt(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
  const { bytes, start, end, family } = packet
  if (packet.group) return drop(netns, device, packet, 'NO_SOCKET', 'ip')
  const outcome = netns.tcp.input(bytes, at, end, start + (family === 4 ? 12 : 8), family)
  if (outcome !== 'SOCKET') return drop(netns, device, packet, outcome, 'ip')
  if (netns.simulation.tracing) hop(netns, device, packet, 'deliver', 'SOCKET', NOTHING, 'ip')
}

/** What TCP needs of its namespace. */
export function tcpEnvironment(netns: NetworkNamespace): TcpEnvironment {
  const { simulation } = netns
  return {
    clock: {
      now: () => simulation.clock.now(),
      after: (delay, callback, options) => simulation.after(delay, callback, options),
    },
    random: simulation.random,
    output(flow, segment) {
      sendTcp(netns, flow, segment, 0)
      simulation.run()
    },
    mtuTo: (flow) => wayOf(netns, flow)?.mtu ?? (flow.family === 4 ? 576 : 1280),
    sourceFor: (destination) => sourceFor(netns, destination),
    isLocal: (address) => isBindable(netns, address),
    ephemeralPorts: () => netns.sysctls.ports,
  }
}

/** Sends a segment, which has room for headers before it. Lost where no route leads there. */
export function sendTcp(netns: NetworkNamespace, flow: TcpFlow, segment: Uint8Array, cause: number): void {
  const way = wayOf(netns, flow)
  if (way === undefined) return
  const { buffer, byteOffset, length } = segment
  const id = netns.simulation.nextPacketId()
  const packet = new Packet(new Uint8Array(buffer), byteOffset, byteOffset + length, id)
  packet.cause = cause
  const header = { protocol: ipProtocols.tcp, ttl: netns.sysctls.ttl, dontFragment: true }
  sendAlong(netns, way, packet, header)
}

/** The way of a segment; undefined where there is none any more: it is lost. */
function wayOf(netns: NetworkNamespace, flow: TcpFlow): Way | undefined {
  const source = flow.octets.subarray(0, flow.octets.length / 2)
  try {
    return wayTo(netns, flow.destination, source, 'tcp')
  } catch (error) {
    if (error instanceof KernelError) return undefined
    throw error
  }
}

/** TCP has no group to talk to: ENETUNREACH, whatever the routes say. */
function sourceFor(netns: NetworkNamespace, destination: Ip): Ip {
  const operation = `connect ${destination}`
  if (isMulticast(destination) || isBroadcast(netns, destination)) {
    throw new KernelError('ENETUNREACH', operation, `${destination} is not the address of one host`)
  }
  return ipFromBytes(wayTo(netns, destination, undefined, operation).source)
}

function isBroadcast({ ipv4 }: NetworkNamespace, destination: Ip): boolean {
  if (!isV4(destination)) return false
  if (isLimitedBroadcast(destination)) return true
  return ipv4.output(ipv4ToNumber(destination) | 0, 0, 0, undefined)?.type === 'broadcast'
}
