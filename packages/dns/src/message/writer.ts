import { DnsError } from '../dns-error.ts'

/** The longest message: its length on TCP is a 16-bit number (RFC 1035, section 4.2.2). */
export const maxMessageLength = 65_535

/** A message that is being written, and the offsets of the names already in it (RFC 1035, section 4.1.4). */
export interface Writer {
  readonly bytes: Uint8Array
  offset: number
  readonly names: Map<string, number>
}

export function writeUint8(writer: Writer, value: number): void {
  writer.bytes[reserve(writer, 1)] = value
}

export function writeUint16(writer: Writer, value: number): void {
  setUint16(writer.bytes, reserve(writer, 2), value)
}

export function writeUint32(writer: Writer, value: number): void {
  const at = reserve(writer, 4)
  setUint16(writer.bytes, at, value >>> 16)
  setUint16(writer.bytes, at + 2, value)
}

export function writeOctets(writer: Writer, octets: Uint8Array): void {
  writer.bytes.set(octets, reserve(writer, octets.length))
}

/** Makes room for `length` octets and gives the offset of the first. */
export function reserve(writer: Writer, length: number): number {
  const at = writer.offset
  if (at + length > writer.bytes.length) {
    throw new DnsError('DNS_TOO_LONG', `dns message is longer than ${writer.bytes.length} octets`)
  }
  writer.offset = at + length
  return at
}

export function setUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}
