import { etherTypes, ipv4HeaderLengthAt, u16At } from '@podfabric/wire'
import type { Bridge } from './bridge.ts'
import type { BridgePort } from './bridge-port.ts'
import { ETHERNET } from './frame.ts'
import { drop } from './hops.ts'
import { CHANGED, DROPPED, hook, isHooked, passes } from './netfilter-hook.ts'
import type { Packet } from './packet.ts'

/**
 * br_netfilter: a bridged IP packet meets the rules of the IP families, with the bridge as the link it came in by and
 * leaves by: prerouting and forward here, postrouting before it leaves. True where it went another way: it was
 * dropped, or translated to another destination and is routed now.
 */
export function bridgeNetfilter(bridge: Bridge, from: BridgePort, packet: Packet): boolean {
  const { netns } = bridge
  const frame = packet.start
  if (!enter(bridge, packet)) return false
  packet.input = bridge
  const family = packet.family
  const end = packet.end
  if (!trim(packet)) {
    packet.start = frame
    packet.end = end
    drop(netns, from.device, packet, 'MALFORMED', 'ethernet')
    return true
  }
  const before = isHooked(netns, 'prerouting', family)
    ? hook(netns, 'prerouting', packet, bridge, undefined)
    : undefined
  if (before === DROPPED) return true
  const local = isForBridge(bridge, packet, frame)
  if (before === CHANGED) {
    // The packet is no longer for whom its MAC address says: the bridge's own host routes it.
    packet.prerouted = true
    packet.start = frame
    bridge.takeOver(packet)
    return true
  }
  if (local) {
    packet.prerouted = true
    packet.start = frame
    return false
  }
  if (!passes(netns, 'forward', packet, bridge, bridge)) return true
  const leaves = passes(netns, 'postrouting', packet, bridge, bridge)
  packet.start = frame
  return !leaves
}

/** Moves to the IP header; false where the frame has none that rules want to see. */
function enter(bridge: Bridge, packet: Packet): boolean {
  const { netns } = bridge
  const type = u16At(packet.bytes, packet.start + 12)
  if (type === etherTypes.ipv4 && netns.bridgeNetfilter4) packet.family = 4
  else if (type === etherTypes.ipv6 && netns.bridgeNetfilter6) packet.family = 6
  else return false
  packet.start += ETHERNET
  return true
}

/** Checks the header's lengths, and cuts off padding. */
function trim(packet: Packet): boolean {
  const { bytes, start, length } = packet
  if (packet.family === 4) {
    if (length < 20 || ipv4HeaderLengthAt(bytes, start) < 20) return false
    const total = u16At(bytes, start + 2)
    if (total > length || total < ipv4HeaderLengthAt(bytes, start)) return false
    packet.end = start + total
    return true
  }
  if (length < 40) return false
  const total = 40 + u16At(bytes, start + 4)
  if (total > length) return false
  packet.end = start + total
  return true
}

function isForBridge(bridge: Bridge, packet: Packet, frame: number): boolean {
  const { bytes } = packet
  return ((bytes[frame] as number) & 1) === 1 || bridge.isOwn(bytes, frame)
}
