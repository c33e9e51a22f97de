import { icmpError, PORT_UNREACHABLE } from './icmp.ts'
import { icmpv6Error, V6_PORT_UNREACHABLE } from './icmpv6.ts'
import { sendTcp } from './ip-tcp.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import { resetFor } from './tcp-reset.ts'

/** Tells the sender of a packet that a rule refused it. */
export function reject(netns: NetworkNamespace, packet: Packet, answer: 'icmp' | 'tcp reset'): void {
  if (answer === 'tcp reset') {
    const reset = resetFor(packet)
    if (reset !== undefined) sendTcp(netns, reset.flow, reset.segment, packet.id)
    return
  }
  if (packet.family === 4) icmpError(netns, packet, PORT_UNREACHABLE, 0)
  else icmpv6Error(netns, packet, V6_PORT_UNREACHABLE, 0)
}
