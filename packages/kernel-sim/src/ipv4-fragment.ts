import { internetChecksum, ipv4HeaderLengthAt, setU16At, u16At } from '@podfabric/wire'
import { allocatePacket, type Packet } from './packet.ts'

const MORE = 0x2000
const COPIED = 0x80

/**
 * Cuts an IPv4 packet into pieces of at most `mtu` octets (RFC 791 section 3.2), in order. All carry the packet's
 * name. The first keeps all options, the others those that say so.
 */
export function fragment4(packet: Packet, mtu: number): Packet[] {
  const { bytes, start, end } = packet
  const header = ipv4HeaderLengthAt(bytes, start)
  const flags = u16At(bytes, start + 6)
  const pieces: Packet[] = []
  let at = start + header
  while (at < end) {
    const first = pieces.length === 0
    const size = first ? header : 20 + copiedOptions(bytes, start + 20, start + header).length
    // Only the last may have a length that is no multiple of eight.
    const room = mtu - size
    const length = end - at <= room ? end - at : room & ~7
    const piece = allocatePacket(packet.id, size + length)
    piece.cause = packet.cause
    piece.hops = packet.hops
    piece.family = 4
    piece.input = packet.input
    piece.mark = packet.mark
    piece.group = packet.group
    const to = piece.start
    piece.bytes.set(bytes.subarray(start, start + 20), to)
    if (size > 20) {
      const options = first
        ? bytes.subarray(start + 20, start + header)
        : copiedOptions(bytes, start + 20, start + header)
      piece.bytes.set(options, to + 20)
    }
    piece.bytes.set(bytes.subarray(at, at + length), to + size)
    piece.bytes[to] = 0x40 | (size >>> 2)
    setU16At(piece.bytes, to + 2, size + length)
    const offset = (flags & 0x1fff) + ((at - start - header) >>> 3)
    const more = at + length < end || (flags & MORE) !== 0
    setU16At(piece.bytes, to + 6, offset | (more ? MORE : 0))
    setU16At(piece.bytes, to + 10, 0)
    setU16At(piece.bytes, to + 10, internetChecksum(piece.bytes, to, to + size))
    pieces.push(piece)
    at += length
  }
  return pieces
}

/** The options that every fragment carries, padded to words. */
function copiedOptions(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const kept: number[] = []
  let at = start
  while (at < end) {
    const type = bytes[at] as number
    if (type === 0) break
    const length = type === 1 ? 1 : (bytes[at + 1] ?? 0)
    if (length === 0 || at + length > end) break
    if ((type & COPIED) !== 0) kept.push(...bytes.subarray(at, at + length))
    at += length
  }
  while (kept.length % 4 !== 0) kept.push(0)
  return Uint8Array.from(kept)
}
