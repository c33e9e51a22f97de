import {
  foldChecksum,
  ipProtocols,
  setU16At,
  setU32At,
  sumWords,
  u16At,
  u32At,
  updateChecksum,
  updateChecksum32,
} from '@podfabric/wire'
import { isIcmp } from './conntrack-tuple.ts'
import type { PacketView } from './packet-view.ts'

// Addresses and ports written in place. Checksums are mended by difference (RFC 1624), so that a packet that was
// damaged before stays recognizably damaged.

export type Side = 'source' | 'destination'

/**
 * Gives one side of the packet another address, from `words[wordsAt]`, and port; for ICMP echo the port is the
 * identifier. True where that changed anything.
 */
export function rewrite(
  view: PacketView,
  side: Side,
  words: Uint32Array,
  wordsAt: number,
  port: number,
): boolean {
  const address = rewriteAddress(view, side, words, wordsAt)
  return rewritePort(view, side, port) || address
}

/** Gives one side another address only. True where that changed anything. */
export function rewriteAddress(view: PacketView, side: Side, words: Uint32Array, wordsAt: number): boolean {
  const { bytes, family, offset } = view
  const place = side === 'source' ? view.source : view.destination
  let changed = false
  for (let i = 0; i < (family === 4 ? 1 : 4); i++) {
    const before = u32At(bytes, place + 4 * i)
    const after = words[wordsAt + i] as number
    if (before === after) continue
    changed = true
    setU32At(bytes, place + 4 * i, after)
    if (family === 4) setU16At(bytes, offset + 10, updateChecksum32(u16At(bytes, offset + 10), before, after))
    if (view.protocol !== ipProtocols.icmp) {
      mendWord(view, before >>> 16, after >>> 16)
      mendWord(view, before & 0xffff, after & 0xffff)
    }
  }
  return changed
}

function rewritePort(view: PacketView, side: Side, port: number): boolean {
  const { bytes, protocol, transport } = view
  const place = portPlace(protocol, transport, side)
  if (transport < 0 || place < 0 || place + 2 > view.end) return false
  const before = u16At(bytes, place)
  if (before === port) return false
  setU16At(bytes, place, port)
  mendWord(view, before, port)
  return true
}

function portPlace(protocol: number, transport: number, side: Side): number {
  if (protocol === ipProtocols.tcp || protocol === ipProtocols.udp || protocol === ipProtocols.sctp) {
    return transport + (side === 'source' ? 0 : 2)
  }
  return isIcmp(protocol) ? transport + 4 : -1
}

/** One 16-bit word that the transport checksum covers changed. */
function mendWord(view: PacketView, before: number, after: number): void {
  const { bytes, protocol } = view
  const place = checksumPlace(view)
  if (place < 0) return
  const checksum = u16At(bytes, place)
  const udp = protocol === ipProtocols.udp
  if (udp && checksum === 0) return
  const mended = updateChecksum(checksum, before, after)
  setU16At(bytes, place, udp && mended === 0 ? 0xffff : mended)
}

/** Where the checksum of TCP, UDP, ICMP or ICMPv6 is, or -1: SCTP's covers neither addresses nor the like. */
function checksumPlace(view: PacketView): number {
  const { protocol, transport } = view
  if (transport < 0) return -1
  const place =
    protocol === ipProtocols.tcp
      ? transport + 16
      : protocol === ipProtocols.udp
        ? transport + 6
        : isIcmp(protocol)
          ? transport + 2
          : -1
  return place >= 0 && place + 2 <= view.end ? place : -1
}

/** Runs `change`, which rewrites the packet that the ICMP error `view` quotes, and mends the error's checksum. */
export function rewriteQuoted(view: PacketView, quoted: PacketView, change: () => boolean): boolean {
  const { bytes } = view
  const start = view.transport + 8
  const before = foldChecksum(sumWords(bytes, start, quoted.end)) ^ 0xffff
  if (!change()) return false
  const after = foldChecksum(sumWords(bytes, start, quoted.end)) ^ 0xffff
  const place = view.transport + 2
  setU16At(bytes, place, updateChecksum(u16At(bytes, place), before, after))
  return true
}
