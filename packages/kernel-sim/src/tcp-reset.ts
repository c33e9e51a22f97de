import { ipProtocols, tcpFlags } from '@podfabric/wire'
import type { NetfilterPacket } from './netfilter.ts'
import { PacketView } from './packet-view.ts'
import { addressSum, type TcpFlow, tcpFlowBack } from './tcp-flow.ts'
import { sealTcpSegment, TcpSegment, tcpSegment } from './tcp-segment.ts'
import { sequenceAdd } from './tcp-sequence.ts'

/** A segment and the addresses it goes between: what `TcpEnvironment.output` takes. */
export interface TcpAnswer {
  readonly flow: TcpFlow
  readonly segment: Uint8Array
}

/**
 * The RST that refuses a segment which belongs to no connection (RFC 9293 section 3.10.7.1); undefined for an
 * RST. The segment's two addresses are at `bytes[addresses]`.
 */
export function refusalOf(
  received: TcpSegment,
  bytes: Uint8Array,
  addresses: number,
  family: 4 | 6,
): TcpAnswer | undefined {
  if (received.has(tcpFlags.rst)) return undefined
  const acknowledged = received.has(tcpFlags.ack)
  const flow = tcpFlowBack(bytes, addresses, family)
  const segment = tcpSegment(
    {
      sourcePort: received.destinationPort,
      destinationPort: received.sourcePort,
      sequence: acknowledged ? received.acknowledgment : 0,
      acknowledgment: acknowledged ? 0 : sequenceAdd(received.sequence, received.sequenceLength),
      flags: acknowledged ? tcpFlags.rst : tcpFlags.rst | tcpFlags.ack,
      window: 0,
      maximumSize: -1,
      windowShift: -1,
      timestamp: -1,
      echoedTimestamp: 0,
    },
    0,
  )
  sealTcpSegment(segment, addressSum(flow.octets, 0, family))
  return { flow, segment }
}

/**
 * What `reject with tcp reset` sends for a packet: an RST from where the packet was going, which need not be an
 * address of this namespace. Undefined for what is no TCP segment, and for an RST.
 */
export function resetFor(packet: NetfilterPacket): TcpAnswer | undefined {
  const { bytes, offset, length, family } = packet
  const view = new PacketView()
  const received = new TcpSegment()
  if (!view.read(bytes, offset, offset + length, family)) return undefined
  if (!view.hasTransport(ipProtocols.tcp, 20)) return undefined
  if (!received.read(bytes, view.transport, view.end)) return undefined
  return refusalOf(received, bytes, view.source, family)
}
