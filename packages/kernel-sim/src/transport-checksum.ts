import { foldChecksum, setU16At, sumWords } from '@podfabric/wire'

/** The sum over the pseudo-header whose two addresses are at `addresses` (RFC 9293 section 3.1, RFC 8200 section 8.1). */
function pseudoSum(
  bytes: Uint8Array,
  addresses: number,
  family: 4 | 6,
  protocol: number,
  length: number,
): number {
  return sumWords(bytes, addresses, addresses + (family === 4 ? 8 : 32), protocol + length)
}

/** 0 where the checksum of the message `bytes[at, end)` is right; the checksum to put in where its field is zero. */
export function transportChecksum(
  bytes: Uint8Array,
  at: number,
  end: number,
  addresses: number,
  family: 4 | 6,
  protocol: number,
): number {
  const sum = pseudoSum(bytes, addresses, family, protocol, end - at)
  return foldChecksum(sumWords(bytes, at, end, sum))
}

/** Fills in a UDP checksum; a computed 0 is sent as all ones (RFC 768). The header's field must be zero. */
export function fillUdpChecksum(
  bytes: Uint8Array,
  at: number,
  end: number,
  addresses: number,
  family: 4 | 6,
): void {
  const checksum = transportChecksum(bytes, at, end, addresses, family, 17)
  setU16At(bytes, at + 6, checksum === 0 ? 0xffff : checksum)
}
