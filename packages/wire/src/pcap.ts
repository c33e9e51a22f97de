import { ByteReader } from './byte-reader.ts'
import {
  type ByteSource,
  type CapturedPacket,
  type CaptureReadOptions,
  MAX_BLOCK_LENGTH,
} from './captured-packet.ts'
import { viewOf } from './field.ts'
import { WireError } from './wire-error.ts'

// pcap, draft-ietf-opsawg-pcap
//
//  file:    magic 4, version 2 + 2, reserved 8, snap length 4, link type 4
//  packet:  seconds 4, fraction 4, captured length 4, original length 4, octets

const NAME = 'pcap'
const MICROSECONDS = 0xa1b2_c3d4
const NANOSECONDS = 0xa1b2_3c4d

/** Whether a file that begins with these octets is pcap, of either byte order and resolution. */
export function isPcap(start: Uint8Array): boolean {
  return start.length >= 4 && formatOf(start) !== undefined
}

function formatOf(start: Uint8Array): { littleEndian: boolean; unit: bigint } | undefined {
  const view = viewOf(start)
  for (const littleEndian of [true, false]) {
    const magic = view.getUint32(0, littleEndian)
    if (magic === MICROSECONDS) return { littleEndian, unit: 1000n }
    if (magic === NANOSECONDS) return { littleEndian, unit: 1n }
  }
  return undefined
}

/**
 * The packets of a pcap file, as they arrive. Ends with a `WireError` that gives the file offset where the file
 * is damaged or cut short; the packets before it have been yielded.
 */
export async function* readPcap(
  source: ByteSource,
  options: CaptureReadOptions = {},
): AsyncGenerator<CapturedPacket> {
  const reader = new ByteReader(source)
  try {
    yield* packetsOf(reader, options.maxBlockLength ?? MAX_BLOCK_LENGTH)
  } finally {
    await reader.close()
  }
}

async function* packetsOf(reader: ByteReader, limit: number): AsyncGenerator<CapturedPacket> {
  const start = await reader.read(24)
  const format = start.length < 4 ? undefined : formatOf(start)
  if (format === undefined)
    throw new WireError('WIRE_MALFORMED', NAME, 0, 'the file does not begin with a pcap magic number')
  needAll(start, 24, 0, 'file header')
  const { littleEndian, unit } = format
  const head = viewOf(start)
  const version = `${head.getUint16(4, littleEndian)}.${head.getUint16(6, littleEndian)}`
  if (version !== '2.4') throw new WireError('WIRE_UNSUPPORTED', NAME, 4, `version ${version} is not 2.4`)
  const linkType = head.getUint32(20, littleEndian) & 0xffff
  for (;;) {
    const at = reader.offset
    const record = await reader.read(16)
    if (record.length === 0) return
    needAll(record, 16, at, 'packet header')
    const view = viewOf(record)
    const length = view.getUint32(8, littleEndian)
    if (length > limit) {
      throw new WireError(
        'WIRE_MALFORMED',
        NAME,
        at + 8,
        `a packet of ${length} octets is longer than the limit of ${limit}`,
      )
    }
    const bytes = await reader.read(length)
    needAll(bytes, length, at + 16, 'packet')
    yield {
      timestamp:
        BigInt(view.getUint32(0, littleEndian)) * 1_000_000_000n +
        BigInt(view.getUint32(4, littleEndian)) * unit,
      interfaceIndex: 0,
      interfaceName: undefined,
      linkType,
      bytes,
      originalLength: view.getUint32(12, littleEndian),
      comments: [],
    }
  }
}

function needAll(bytes: Uint8Array, needed: number, at: number, what: string): void {
  if (bytes.length === needed) return
  throw new WireError(
    'WIRE_TRUNCATED',
    NAME,
    at + bytes.length,
    `the file ends inside a ${what} that begins at ${at}`,
  )
}
