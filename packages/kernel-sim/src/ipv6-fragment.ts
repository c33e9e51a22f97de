import { setU16At, setU32At } from '@podfabric/wire'
import { allocatePacket, type Packet } from './packet.ts'

const HEADER = 40
const FRAGMENT_HEADER = 8
const FRAGMENT = 44

/**
 * Cuts an IPv6 packet that starts here, and has no extension headers, into pieces of at most `mtu` octets
 * (RFC 8200 section 4.5), in order. All carry the packet's name.
 */
export function fragment6(packet: Packet, mtu: number, identification: number): Packet[] {
  const { bytes, start, end } = packet
  const room = (mtu - HEADER - FRAGMENT_HEADER) & ~7
  const pieces: Packet[] = []
  for (let at = start + HEADER; at < end; at += room) {
    const length = Math.min(room, end - at)
    const piece = allocatePacket(packet.id, HEADER + FRAGMENT_HEADER + length)
    piece.cause = packet.cause
    piece.family = 6
    piece.mark = packet.mark
    const to = piece.start
    piece.bytes.set(bytes.subarray(start, start + HEADER), to)
    setU16At(piece.bytes, to + 4, FRAGMENT_HEADER + length)
    piece.bytes[to + 6] = FRAGMENT
    piece.bytes[to + 40] = bytes[start + 6] as number
    setU16At(piece.bytes, to + 42, (at - start - HEADER) | (at + length < end ? 1 : 0))
    setU32At(piece.bytes, to + 44, identification)
    piece.bytes.set(bytes.subarray(at, at + length), to + HEADER + FRAGMENT_HEADER)
    pieces.push(piece)
  }
  return pieces
}
