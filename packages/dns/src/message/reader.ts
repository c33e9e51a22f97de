import { DnsError } from '../dns-error.ts'

/** A place in a message that is being read. `end` is the first octet that does not belong to what is read now. */
export interface Reader {
  readonly bytes: Uint8Array
  offset: number
  end: number
}

export function readUint8(reader: Reader): number {
  const at = advance(reader, 1)
  return reader.bytes[at] ?? 0
}

export function readUint16(reader: Reader): number {
  const at = advance(reader, 2)
  return uint16At(reader.bytes, at)
}

export function readUint32(reader: Reader): number {
  const at = advance(reader, 4)
  return uint16At(reader.bytes, at) * 0x10000 + uint16At(reader.bytes, at + 2)
}

/** A copy, so that a record outlives the buffer it was read from. */
export function readOctets(reader: Reader, length: number): Uint8Array {
  const at = advance(reader, length)
  return reader.bytes.slice(at, at + length)
}

/** Moves over `length` octets and gives the offset of the first. */
export function advance(reader: Reader, length: number): number {
  const at = reader.offset
  if (at + length > reader.end) {
    throw new DnsError('DNS_TRUNCATED', `dns message ends at octet ${reader.end}, ${at + length} needed`)
  }
  reader.offset = at + length
  return at
}

export function uint16At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
}
