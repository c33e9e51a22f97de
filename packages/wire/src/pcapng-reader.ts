import { ByteReader } from './byte-reader.ts'
import {
  type ByteSource,
  type CapturedPacket,
  type CaptureReadOptions,
  MAX_BLOCK_LENGTH,
} from './captured-packet.ts'
import { viewOf } from './field.ts'
import { BYTE_ORDER_MAGIC, blockTypes, optionCodes, padded } from './pcapng-block.ts'
import { WireError, type WireErrorCode } from './wire-error.ts'

const NAME = 'pcapng'
const MAX_INTERFACES = 65_536
const decoder = new TextDecoder()

interface Interface {
  readonly name: string | undefined
  readonly linkType: number
  /** 0 for no limit. */
  readonly snapLength: number
  /** Units of a timestamp in a second. */
  readonly perSecond: bigint
  /** Added to timestamps, in seconds. */
  readonly offset: bigint
}

interface Block {
  readonly type: number
  /** The whole block, both lengths included. */
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly littleEndian: boolean
  /** In the file. */
  readonly at: number
}

/** Whether a file that begins with these octets is pcapng. */
export function isPcapng(start: Uint8Array): boolean {
  return start.length >= 4 && viewOf(start).getUint32(0) === blockTypes.sectionHeader
}

/**
 * The packets of a pcapng file, as they arrive, of all its sections in either byte order. Blocks that hold no
 * packets are skipped. Ends with a `WireError` that gives the file offset where the file is damaged or cut
 * short; the packets before it have been yielded.
 */
export async function* readPcapng(
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
  let littleEndian: boolean | undefined
  let interfaces: Interface[] = []
  for (;;) {
    const block = await readBlock(reader, littleEndian, limit)
    if (block === undefined) return
    littleEndian = block.littleEndian
    switch (block.type) {
      case blockTypes.sectionHeader:
        checkVersion(block)
        interfaces = []
        break
      case blockTypes.interfaceDescription:
        if (interfaces.length === MAX_INTERFACES)
          fail(block, 0, `more than ${MAX_INTERFACES} interfaces`, 'WIRE_UNSUPPORTED')
        interfaces.push(readInterface(block))
        break
      case blockTypes.enhancedPacket:
        yield readEnhancedPacket(block, interfaces)
        break
      case blockTypes.packet:
        yield readObsoletePacket(block, interfaces)
        break
      case blockTypes.simplePacket:
        yield readSimplePacket(block, interfaces)
    }
  }
}

function fail(block: Block, offset: number, reason: string, code: WireErrorCode = 'WIRE_MALFORMED'): never {
  throw new WireError(code, NAME, block.at + offset, `${reason}, in the block at ${block.at}`)
}

async function readBlock(
  reader: ByteReader,
  sectionOrder: boolean | undefined,
  limit: number,
): Promise<Block | undefined> {
  const at = reader.offset
  const start = await reader.read(12)
  if (start.length === 0) return undefined
  if (start.length < 12) throw truncated(reader, at)
  const head = viewOf(start)
  let littleEndian = sectionOrder
  if (head.getUint32(0) === blockTypes.sectionHeader) {
    littleEndian = byteOrderOf(head, at)
  } else if (littleEndian === undefined) {
    throw new WireError('WIRE_MALFORMED', NAME, at, 'the file does not begin with a section header')
  }
  const length = head.getUint32(4, littleEndian)
  if (length < 12 || length % 4 !== 0) {
    throw new WireError(
      'WIRE_MALFORMED',
      NAME,
      at + 4,
      `a block of ${length} octets is not 12 or more and a multiple of 4`,
    )
  }
  if (length > limit) {
    throw new WireError(
      'WIRE_MALFORMED',
      NAME,
      at + 4,
      `a block of ${length} octets is longer than the limit of ${limit}`,
    )
  }
  const rest = await reader.read(length - 12)
  if (rest.length < length - 12) throw truncated(reader, at)
  const bytes = new Uint8Array(length)
  bytes.set(start)
  bytes.set(rest, 12)
  const view = viewOf(bytes)
  if (view.getUint32(length - 4, littleEndian) !== length) {
    throw new WireError(
      'WIRE_MALFORMED',
      NAME,
      at + length - 4,
      `the two lengths of the block at ${at} differ`,
    )
  }
  return { type: view.getUint32(0, littleEndian), bytes, view, littleEndian, at }
}

function truncated(reader: ByteReader, at: number): WireError {
  return new WireError('WIRE_TRUNCATED', NAME, reader.offset, `the file ends inside the block at ${at}`)
}

function byteOrderOf(head: DataView, at: number): boolean {
  if (head.getUint32(8, true) === BYTE_ORDER_MAGIC) return true
  if (head.getUint32(8) === BYTE_ORDER_MAGIC) return false
  throw new WireError('WIRE_MALFORMED', NAME, at + 8, 'the section header has no byte-order magic')
}

function needBody(block: Block, octets: number): void {
  if (block.bytes.length < 12 + octets)
    fail(block, 4, `a block of type ${block.type} has ${octets} octets or more`)
}

function checkVersion(block: Block): void {
  needBody(block, 16)
  const major = block.view.getUint16(12, block.littleEndian)
  if (major !== 1) fail(block, 12, `version ${major} is not 1`, 'WIRE_UNSUPPORTED')
}

function readInterface(block: Block): Interface {
  needBody(block, 8)
  const { view, littleEndian } = block
  let name: string | undefined
  let perSecond = 1_000_000n
  let offset = 0n
  for (const [code, value, at] of options(block, 16)) {
    if (code === optionCodes.interfaceName) name = text(value)
    else if (code === optionCodes.interfaceTimeResolution && value.length >= 1)
      perSecond = resolution(value[0] ?? 6)
    else if (code === optionCodes.interfaceTimeOffset && value.length === 8)
      offset = view.getBigInt64(at, littleEndian)
  }
  return {
    name,
    linkType: view.getUint16(8, littleEndian),
    snapLength: view.getUint32(12, littleEndian),
    perSecond,
    offset,
  }
}

/** The highest bit tells powers of 2 from powers of 10. */
function resolution(octet: number): bigint {
  const exponent = BigInt(octet & 0x7f)
  return octet < 0x80 ? 10n ** exponent : 2n ** exponent
}

function readEnhancedPacket(block: Block, interfaces: readonly Interface[]): CapturedPacket {
  needBody(block, 20)
  return readPacket(block, interfaces, block.view.getUint32(8, block.littleEndian))
}

function readObsoletePacket(block: Block, interfaces: readonly Interface[]): CapturedPacket {
  needBody(block, 20)
  return readPacket(block, interfaces, block.view.getUint16(8, block.littleEndian))
}

function readPacket(block: Block, interfaces: readonly Interface[], interfaceIndex: number): CapturedPacket {
  const { view, littleEndian } = block
  const from = interfaceAt(block, interfaces, interfaceIndex)
  const captured = view.getUint32(20, littleEndian)
  const units = (BigInt(view.getUint32(12, littleEndian)) << 32n) | BigInt(view.getUint32(16, littleEndian))
  const bytes = octets(block, 28, captured)
  return {
    timestamp: (units * 1_000_000_000n) / from.perSecond + from.offset * 1_000_000_000n,
    interfaceIndex,
    interfaceName: from.name,
    linkType: from.linkType,
    bytes,
    originalLength: view.getUint32(24, littleEndian),
    comments: commentsOf(block, 28 + padded(captured)),
  }
}

function readSimplePacket(block: Block, interfaces: readonly Interface[]): CapturedPacket {
  needBody(block, 4)
  const from = interfaceAt(block, interfaces, 0)
  const originalLength = block.view.getUint32(8, block.littleEndian)
  const captured = from.snapLength === 0 ? originalLength : Math.min(originalLength, from.snapLength)
  return {
    timestamp: undefined,
    interfaceIndex: 0,
    interfaceName: from.name,
    linkType: from.linkType,
    bytes: octets(block, 12, captured),
    originalLength,
    comments: [],
  }
}

function interfaceAt(block: Block, interfaces: readonly Interface[], index: number): Interface {
  return (
    interfaces[index] ?? fail(block, 8, `interface ${index} is not described, there are ${interfaces.length}`)
  )
}

function octets(block: Block, start: number, length: number): Uint8Array {
  if (start + padded(length) > block.bytes.length - 4)
    fail(block, start, `${length} octets of a packet do not fit`)
  return block.bytes.subarray(start, start + length)
}

function commentsOf(block: Block, start: number): string[] {
  const comments: string[] = []
  for (const [code, value] of options(block, start))
    if (code === optionCodes.comment) comments.push(text(value))
  return comments
}

/** Code, value and place of each option, up to the end mark or the end of the block. */
function* options(block: Block, start: number): Generator<[code: number, value: Uint8Array, at: number]> {
  const end = block.bytes.length - 4
  let at = start
  while (at + 4 <= end) {
    const code = block.view.getUint16(at, block.littleEndian)
    const length = block.view.getUint16(at + 2, block.littleEndian)
    if (code === optionCodes.end) return
    if (at + 4 + length > end) fail(block, at, `option ${code} of ${length} octets does not fit`)
    yield [code, block.bytes.subarray(at + 4, at + 4 + length), at + 4]
    at += 4 + padded(length)
  }
}

/** Some writers end their strings with a zero octet. */
function text(value: Uint8Array): string {
  return decoder.decode(value).replace(/\0+$/, '')
}
