import { type Ip, type Ipv4, ipFromBytes, ipv4FromNumber } from '@podfabric/netaddr'
import { u32At } from '@podfabric/wire'
import {
  type AddressType,
  type Netfilter,
  type NetfilterEnvironment,
  type NetfilterPacket,
  netfilter,
} from './netfilter.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At } from './octets.ts'

const words = new Uint32Array(4)

/** nftables, connection tracking and NAT of a namespace. */
export function netfilterFor(netns: NetworkNamespace): Netfilter {
  const environment: NetfilterEnvironment = {
    clock: netns.simulation.clock,
    random: netns.simulation.random,
    sourceOn: (output, packet) => sourceOn(netns, output, packet),
    addressType: (bytes, at, family) => addressType(netns, bytes, at, family),
  }
  return netfilter(environment)
}

function sourceOn(netns: NetworkNamespace, output: string, packet: NetfilterPacket): Ip | undefined {
  const device = netns.find(output)
  if (device === undefined) return undefined
  const { bytes, offset, family } = packet
  if (family === 6) {
    const source = netns.ipv6.selectSource(device, bytes.subarray(offset + 24, offset + 40))
    return source && ipFromBytes(source)
  }
  const destination = i32At(bytes, offset + 16)
  const route = netns.ipv4.output(destination, 0, packet.mark, device)
  const target = route?.hasGateway ? route.gateway4 : destination
  const source: Ipv4 = ipv4FromNumber(netns.ipv4.selectSource(device, target, false))
  return source === '0.0.0.0' ? undefined : source
}

function addressType(netns: NetworkNamespace, bytes: Uint8Array, at: number, family: 4 | 6): AddressType {
  if (family === 4) {
    const address = i32At(bytes, at)
    if (address === -1 || address >>> 24 === 0) return 'broadcast'
    if (address >>> 28 === 14) return 'multicast'
    const type = netns.ipv4.output(address, 0, 0, undefined)?.type
    return type === 'throw' || type === undefined ? 'unicast' : type
  }
  if (bytes[at] === 0xff) return 'multicast'
  for (let w = 0; w < 4; w++) words[w] = u32At(bytes, at + 4 * w)
  const type = netns.ipv6.output(words, new Uint8Array(16), 0, undefined)?.type
  return type === 'throw' || type === undefined ? 'unicast' : type
}
