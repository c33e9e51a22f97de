import { updateChecksum, updateChecksum32 } from './checksum.ts'
import {
  ipv4FragmentOffsetAt,
  ipv4HeaderLengthAt,
  ipv4ProtocolAt,
  setU16At,
  setU32At,
  u16At,
  u32At,
} from './peek.ts'

// Address translation in place. Checksums are mended by difference (RFC 1624), so that a packet damaged before
// stays recognizably damaged.

const TCP = 6
const UDP = 17

/** Replaces the source address of the IPv4 packet at `at`, and mends its checksum and that of UDP or TCP inside. */
export function rewriteIpv4SourceAt(bytes: Uint8Array, at: number, address: number): void {
  rewriteAddress(bytes, at, at + 12, address)
}

/** As `rewriteIpv4SourceAt`, for the destination. */
export function rewriteIpv4DestinationAt(bytes: Uint8Array, at: number, address: number): void {
  rewriteAddress(bytes, at, at + 16, address)
}

/** Replaces the source port of the UDP or TCP header of the IPv4 packet at `at`. Nothing for others and later fragments. */
export function rewriteIpv4SourcePortAt(bytes: Uint8Array, at: number, port: number): void {
  rewritePort(bytes, at, 0, port)
}

/** As `rewriteIpv4SourcePortAt`, for the destination. */
export function rewriteIpv4DestinationPortAt(bytes: Uint8Array, at: number, port: number): void {
  rewritePort(bytes, at, 2, port)
}

function rewriteAddress(bytes: Uint8Array, at: number, field: number, address: number): void {
  const before = u32At(bytes, field)
  setU32At(bytes, field, address)
  setU16At(bytes, at + 10, updateChecksum32(u16At(bytes, at + 10), before, address))
  const place = transportChecksumPlace(bytes, at)
  if (place < 0) return
  const checksum = u16At(bytes, place)
  if (checksum === 0 && ipv4ProtocolAt(bytes, at) === UDP) return
  setTransportChecksum(bytes, at, place, updateChecksum32(checksum, before, address))
}

function rewritePort(bytes: Uint8Array, at: number, offset: number, port: number): void {
  const place = transportChecksumPlace(bytes, at)
  if (place < 0) return
  const field = at + ipv4HeaderLengthAt(bytes, at) + offset
  const before = u16At(bytes, field)
  setU16At(bytes, field, port)
  const checksum = u16At(bytes, place)
  if (checksum === 0 && ipv4ProtocolAt(bytes, at) === UDP) return
  setTransportChecksum(bytes, at, place, updateChecksum(checksum, before, port))
}

/** Where the UDP or TCP checksum is, or -1. */
function transportChecksumPlace(bytes: Uint8Array, at: number): number {
  if (ipv4FragmentOffsetAt(bytes, at) > 0) return -1
  const inside = at + ipv4HeaderLengthAt(bytes, at)
  const protocol = ipv4ProtocolAt(bytes, at)
  const place = protocol === UDP ? inside + 6 : protocol === TCP ? inside + 16 : -1
  return place + 2 <= bytes.length ? place : -1
}

/** A computed UDP checksum of 0 is sent as all ones: 0 means none (RFC 768). */
function setTransportChecksum(bytes: Uint8Array, at: number, place: number, checksum: number): void {
  setU16At(bytes, place, checksum === 0 && ipv4ProtocolAt(bytes, at) === UDP ? 0xffff : checksum)
}
