import { DnsError } from '../dns-error.ts'
import type { Edns, Message, Question } from './message.ts'
import { readName, writeName } from './name.ts'
import { advance, type Reader, readOctets, readUint16, uint16At } from './reader.ts'
import type { ResourceRecord } from './record.ts'
import { readRecord, writeRecord } from './record-codec.ts'
import { classCode, className, typeCode, typeName } from './record-type.ts'
import {
  maxMessageLength,
  reserve,
  setUint16,
  type Writer,
  writeOctets,
  writeUint8,
  writeUint16,
} from './writer.ts'

export const headerLength = 12

const flag = {
  response: 0x8000,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  authenticData: 0x0020,
  checkingDisabled: 0x0010,
} as const

const optType = typeCode('OPT')
/** A root name, type and class, and a question has no more. */
const minQuestionLength = 5
const minRecordLength = 11

/**
 * Reads the message that `bytes` are, to the last octet. The result shares nothing with them.
 * Throws `DnsError` only: `DNS_TRUNCATED` or `DNS_MALFORMED`.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length > maxMessageLength) {
    throw new DnsError('DNS_MALFORMED', `dns message of ${bytes.length} octets; ${maxMessageLength} at most`)
  }
  const reader: Reader = { bytes, offset: 0, end: bytes.length }
  advance(reader, headerLength)
  const flags = uint16At(bytes, 2)
  const counts = [4, 6, 8, 10].map((at) => uint16At(bytes, at))
  const [questionCount = 0, answerCount = 0, authorityCount = 0, additionalCount = 0] = counts
  const least =
    questionCount * minQuestionLength + (answerCount + authorityCount + additionalCount) * minRecordLength
  if (least > bytes.length - headerLength) {
    throw new DnsError(
      'DNS_TRUNCATED',
      `dns message of ${bytes.length} octets is too short for what it announces`,
    )
  }
  const questions = repeat(questionCount, () => readQuestion(reader))
  const answers = repeat(answerCount, () => readOrdinary(reader))
  const authorities = repeat(authorityCount, () => readOrdinary(reader))
  const additionals: ResourceRecord[] = []
  let opt: Opt | undefined
  for (let left = additionalCount; left > 0; left--) {
    if (isOptNext(reader)) {
      if (opt) throw new DnsError('DNS_MALFORMED', 'dns message has more than one OPT record')
      opt = readOpt(reader)
    } else additionals.push(readOrdinary(reader))
  }
  if (reader.offset !== reader.end) {
    throw new DnsError('DNS_MALFORMED', `${reader.end - reader.offset} octets follow the dns message`)
  }
  return {
    id: uint16At(bytes, 0),
    response: (flags & flag.response) !== 0,
    opcode: (flags >>> 11) & 0xf,
    authoritative: (flags & flag.authoritative) !== 0,
    truncated: (flags & flag.truncated) !== 0,
    recursionDesired: (flags & flag.recursionDesired) !== 0,
    recursionAvailable: (flags & flag.recursionAvailable) !== 0,
    authenticData: (flags & flag.authenticData) !== 0,
    checkingDisabled: (flags & flag.checkingDisabled) !== 0,
    rcode: (flags & 0xf) | ((opt?.extendedRcode ?? 0) << 4),
    questions,
    answers,
    authorities,
    additionals,
    ...(opt === undefined ? {} : { edns: opt.edns }),
  }
}

function repeat<T>(count: number, read: () => T): T[] {
  const items: T[] = []
  for (let left = count; left > 0; left--) items.push(read())
  return items
}

function readQuestion(reader: Reader): Question {
  const name = readName(reader)
  return { name, type: typeName(readUint16(reader)), class: className(readUint16(reader)) }
}

function readOrdinary(reader: Reader): ResourceRecord {
  const at = reader.offset
  const record = readRecord(reader)
  if (record.type === `TYPE${optType}`)
    throw new DnsError('DNS_MALFORMED', `misplaced OPT record at octet ${at}`)
  return record
}

interface Opt {
  readonly edns: Edns
  readonly extendedRcode: number
}

/** An OPT record's owner is always the root, so its type is in the two octets after a zero. */
function isOptNext({ bytes, offset, end }: Reader): boolean {
  return offset + minRecordLength <= end && bytes[offset] === 0 && uint16At(bytes, offset + 1) === optType
}

function readOpt(reader: Reader): Opt {
  const { bytes } = reader
  const at = advance(reader, minRecordLength)
  const optionsEnd = reader.offset + uint16At(bytes, at + 9)
  const options: { code: number; data: Uint8Array }[] = []
  while (reader.offset < optionsEnd) {
    const code = readUint16(reader)
    options.push({ code, data: readOctets(reader, readUint16(reader)) })
  }
  if (reader.offset !== optionsEnd)
    throw new DnsError('DNS_MALFORMED', `EDNS option runs past the OPT record at octet ${at}`)
  const dnssecOk = ((bytes[at + 7] ?? 0) & 0x80) !== 0
  const edns = { udpSize: uint16At(bytes, at + 3), version: bytes[at + 6] ?? 0, dnssecOk, options }
  return { edns, extendedRcode: bytes[at + 5] ?? 0 }
}

export interface EncodeOptions {
  /** The longest message wanted, in octets. Default 65,535. */
  readonly limit?: number
}

/** Written in here first; nobody can see it between two messages. */
const scratch = new Uint8Array(maxMessageLength)

/**
 * Writes a message into octets of its own. What does not fit into `limit` is left out, the additional records first and in
 * silence; when answers or authorities are missing the message says that it is truncated (RFC 2181, section 9).
 *
 * `DNS_NAME` for a name that is none; `DNS_TOO_LONG` when not even the questions fit; `RangeError` for a number out of range.
 */
export function encodeMessage(message: Message, options: EncodeOptions = {}): Uint8Array {
  const { edns } = message
  const limit = Math.min(options.limit ?? maxMessageLength, maxMessageLength)
  const optLength = edns === undefined ? 0 : optLengthOf(edns)
  const writer: Writer = { bytes: scratch, offset: headerLength, names: new Map() }
  for (const question of message.questions) writeQuestion(writer, question)
  const room = limit - optLength
  if (writer.offset > room)
    throw new DnsError('DNS_TOO_LONG', `the questions do not fit into ${limit} octets`)
  const answers = writeSection(writer, message.answers, room)
  const answersFit = answers === message.answers.length
  const authorities = answersFit ? writeSection(writer, message.authorities, room) : 0
  const fits = answersFit && authorities === message.authorities.length
  const additionals = fits ? writeSection(writer, message.additionals, room) : 0
  if (edns) writeOpt(writer, edns, message.rcode)
  writeHeader(message, message.truncated || !fits, [
    message.questions.length,
    answers,
    authorities,
    additionals + (edns === undefined ? 0 : 1),
  ])
  return scratch.slice(0, writer.offset)
}

function writeQuestion(writer: Writer, question: Question): void {
  writeName(writer, question.name)
  writeUint16(writer, typeCode(question.type))
  writeUint16(writer, classCode(question.class))
}

/** Writes as many of the records as fit and gives their number. After fewer than all, no name may be written any more. */
function writeSection(writer: Writer, records: readonly ResourceRecord[], room: number): number {
  let written = 0
  for (const record of records) {
    const start = writer.offset
    if (!fitsWithin(writer, record, room)) {
      writer.offset = start
      break
    }
    written++
  }
  return written
}

function fitsWithin(writer: Writer, record: ResourceRecord, room: number): boolean {
  try {
    writeRecord(writer, record)
  } catch (error) {
    if (error instanceof DnsError && error.code === 'DNS_TOO_LONG') return false
    throw error
  }
  return writer.offset <= room
}

function optLengthOf({ options }: Edns): number {
  return options.reduce((length, { data }) => length + 4 + data.length, minRecordLength)
}

function writeOpt(writer: Writer, edns: Edns, rcode: number): void {
  writeUint8(writer, 0)
  writeUint16(writer, optType)
  writeUint16(writer, edns.udpSize)
  writeUint8(writer, rcode >>> 4)
  writeUint8(writer, edns.version)
  writeUint16(writer, edns.dnssecOk ? 0x8000 : 0)
  const lengthAt = reserve(writer, 2)
  for (const { code, data } of edns.options) {
    writeUint16(writer, code)
    writeUint16(writer, data.length)
    writeOctets(writer, data)
  }
  setUint16(writer.bytes, lengthAt, writer.offset - lengthAt - 2)
}

function writeHeader(message: Message, truncated: boolean, counts: readonly number[]): void {
  if (message.rcode > 0xf && message.edns === undefined)
    throw new RangeError(`rcode ${message.rcode} needs EDNS`)
  let flags = ((message.opcode & 0xf) << 11) | (message.rcode & 0xf)
  if (message.response) flags |= flag.response
  if (message.authoritative) flags |= flag.authoritative
  if (truncated) flags |= flag.truncated
  if (message.recursionDesired) flags |= flag.recursionDesired
  if (message.recursionAvailable) flags |= flag.recursionAvailable
  if (message.authenticData) flags |= flag.authenticData
  if (message.checkingDisabled) flags |= flag.checkingDisabled
  setUint16(scratch, 0, message.id)
  setUint16(scratch, 2, flags)
  for (const [index, count] of counts.entries()) setUint16(scratch, 4 + 2 * index, count)
}
