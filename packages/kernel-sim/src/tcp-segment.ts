import {
  foldChecksum,
  setU16At,
  setU32At,
  sumWords,
  tcpFlags,
  tcpFlagsAt,
  u16At,
  u32At,
} from '@podfabric/wire'

/** Room that a segment's buffer has before it, for IP, tunnel and Ethernet headers. */
export const TCP_HEADROOM = 128

const TCP = 6
const NONE = new Uint8Array(0)

/** A received segment, read in place. One object is used for all of a stack's. */
export class TcpSegment {
  bytes: Uint8Array = NONE
  sourcePort = 0
  destinationPort = 0
  sequence = 0
  acknowledgment = 0
  flags = 0
  /** As on the wire. */
  window = 0
  dataStart = 0
  dataEnd = 0
  /** Options; -1 where there is none. */
  maximumSize = -1
  windowShift = -1
  timestamp = -1
  echoedTimestamp = 0

  get dataLength(): number {
    return this.dataEnd - this.dataStart
  }

  /** Octets of sequence space that it takes. */
  get sequenceLength(): number {
    return this.dataLength + (this.has(tcpFlags.syn) ? 1 : 0) + (this.has(tcpFlags.fin) ? 1 : 0)
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0
  }

  /** Reads `bytes[offset, end)`; false where that is no segment. Options after a broken one are ignored. */
  read(bytes: Uint8Array, offset: number, end: number): boolean {
    if (end - offset < 20) return false
    const headerLength = ((bytes[offset + 12] as number) >>> 4) * 4
    if (headerLength < 20 || offset + headerLength > end) return false
    this.bytes = bytes
    this.sourcePort = u16At(bytes, offset)
    this.destinationPort = u16At(bytes, offset + 2)
    this.sequence = u32At(bytes, offset + 4)
    this.acknowledgment = u32At(bytes, offset + 8)
    this.flags = tcpFlagsAt(bytes, offset)
    this.window = u16At(bytes, offset + 14)
    this.dataStart = offset + headerLength
    this.dataEnd = end
    this.#readOptions(bytes, offset + 20, this.dataStart)
    return true
  }

  #readOptions(bytes: Uint8Array, start: number, end: number): void {
    this.maximumSize = -1
    this.windowShift = -1
    this.timestamp = -1
    this.echoedTimestamp = 0
    for (let at = start; at < end; ) {
      const kind = bytes[at] as number
      if (kind === 0) return
      if (kind === 1) {
        at++
        continue
      }
      const length = at + 1 < end ? (bytes[at + 1] as number) : 0
      if (length < 2 || at + length > end) return
      if (kind === 2 && length === 4) this.maximumSize = u16At(bytes, at + 2)
      else if (kind === 3 && length === 3) this.windowShift = Math.min(bytes[at + 2] as number, 14)
      else if (kind === 8 && length === 10) {
        this.timestamp = u32At(bytes, at + 2)
        this.echoedTimestamp = u32At(bytes, at + 6)
      }
      at += length
    }
  }
}

/** What a segment to be sent says; data is put in by the caller. */
export interface TcpSegmentFields {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgment: number
  readonly flags: number
  readonly window: number
  /** Options; -1 leaves one out. */
  readonly maximumSize: number
  readonly windowShift: number
  readonly timestamp: number
  readonly echoedTimestamp: number
}

/**
 * A segment with room for `dataLength` octets after its header, in a buffer of its own with headroom. The
 * checksum is `sealTcpSegment`'s, when the data is there.
 */
export function tcpSegment(fields: TcpSegmentFields, dataLength: number): Uint8Array {
  const { maximumSize, windowShift, timestamp } = fields
  const headerLength = 20 + (maximumSize < 0 ? 0 : 4) + (timestamp < 0 ? 0 : 12) + (windowShift < 0 ? 0 : 4)
  const segment = new Uint8Array(new ArrayBuffer(TCP_HEADROOM + headerLength + dataLength), TCP_HEADROOM)
  setU16At(segment, 0, fields.sourcePort)
  setU16At(segment, 2, fields.destinationPort)
  setU32At(segment, 4, fields.sequence)
  setU32At(segment, 8, fields.acknowledgment)
  setU16At(segment, 12, (headerLength << 10) | fields.flags)
  setU16At(segment, 14, fields.window)
  let at = 20
  if (maximumSize >= 0) {
    setU16At(segment, at, 0x0204)
    setU16At(segment, at + 2, maximumSize)
    at += 4
  }
  if (timestamp >= 0) {
    setU32At(segment, at, 0x0101_080a)
    setU32At(segment, at + 4, timestamp)
    setU32At(segment, at + 8, fields.echoedTimestamp)
    at += 12
  }
  if (windowShift >= 0) setU32At(segment, at, 0x0103_0300 | windowShift)
  return segment
}

/** Writes the checksum. `addressSum` is the sum of the words of both IP addresses. */
export function sealTcpSegment(segment: Uint8Array, addressSum: number): void {
  setU16At(segment, 16, 0)
  setU16At(segment, 16, foldChecksum(sumWords(segment, 0, segment.length, addressSum + TCP + segment.length)))
}

/** Whether the checksum of the segment at `bytes[offset, end)` is right. */
export function tcpChecksumHolds(
  bytes: Uint8Array,
  offset: number,
  end: number,
  addressSum: number,
): boolean {
  return foldChecksum(sumWords(bytes, offset, end, addressSum + TCP + (end - offset))) === 0
}
