import { type Ip, ipFromBytes, ipToBytes } from '@podfabric/netaddr'
import { DnsError } from '../dns-error.ts'
import { readName, writeName } from './name.ts'
import { advance, type Reader, readOctets, readUint8, readUint16, readUint32 } from './reader.ts'
import type { RecordData, ResourceRecord, SoaData } from './record.ts'
import { classCode, className, typeCode, typeName } from './record-type.ts'
import {
  reserve,
  setUint16,
  type Writer,
  writeOctets,
  writeUint8,
  writeUint16,
  writeUint32,
} from './writer.ts'

/** Types whose layout belongs to the Internet class alone. */
const internetOnly: ReadonlySet<number> = new Set([typeCode('A'), typeCode('AAAA'), typeCode('SRV')])

/** Reads one record. Data that its type does not fill exactly is malformed. */
export function readRecord(reader: Reader): ResourceRecord {
  const name = readName(reader)
  const type = readUint16(reader)
  const recordClass = readUint16(reader)
  const ttl = readUint32(reader)
  const length = readUint16(reader)
  const start = reader.offset
  const messageEnd = reader.end
  if (start + length > messageEnd) {
    throw new DnsError('DNS_TRUNCATED', `record data at octet ${start} runs past the end of the message`)
  }
  reader.end = start + length
  const data = readData(reader, type, recordClass, length)
  if (reader.offset !== reader.end) {
    throw new DnsError(
      'DNS_MALFORMED',
      `record data at octet ${start} is longer than its type, ${typeName(type)}`,
    )
  }
  reader.end = messageEnd
  // A lifetime with the top bit set means none at all (RFC 2181, section 8).
  return { name, class: className(recordClass), ttl: ttl > 0x7fff_ffff ? 0 : ttl, ...data }
}

function readData(reader: Reader, type: number, recordClass: number, length: number): RecordData {
  if (recordClass !== 1 && internetOnly.has(type))
    return { type: `TYPE${type}`, data: readOctets(reader, length) }
  switch (typeName(type)) {
    case 'A':
      return { type: 'A', address: ipFromBytes(reader.bytes, advance(reader, 4), 4) }
    case 'AAAA':
      return { type: 'AAAA', address: ipFromBytes(reader.bytes, advance(reader, 16), 6) }
    case 'CNAME':
      return { type: 'CNAME', target: readName(reader) }
    case 'NS':
      return { type: 'NS', target: readName(reader) }
    case 'PTR':
      return { type: 'PTR', target: readName(reader) }
    case 'MX':
      return { type: 'MX', preference: readUint16(reader), exchange: readName(reader) }
    case 'SRV':
      return {
        type: 'SRV',
        priority: readUint16(reader),
        weight: readUint16(reader),
        port: readUint16(reader),
        target: readName(reader),
      }
    case 'TXT':
      return { type: 'TXT', strings: readStrings(reader) }
    case 'SOA':
      return readSoa(reader)
    default:
      return { type: `TYPE${type}`, data: readOctets(reader, length) }
  }
}

function readStrings(reader: Reader): Uint8Array[] {
  const strings: Uint8Array[] = []
  do strings.push(readOctets(reader, readUint8(reader)))
  while (reader.offset < reader.end)
  return strings
}

function readSoa(reader: Reader): SoaData {
  return {
    type: 'SOA',
    primary: readName(reader),
    mailbox: readName(reader),
    serial: readUint32(reader),
    refresh: readUint32(reader),
    retry: readUint32(reader),
    expire: readUint32(reader),
    minimum: readUint32(reader),
  }
}

/** Writes a record. Names inside its data are shortened only where RFC 3597, section 4 lets them. */
export function writeRecord(writer: Writer, record: ResourceRecord): void {
  writeName(writer, record.name)
  writeUint16(writer, typeCode(record.type))
  writeUint16(writer, classCode(record.class))
  writeUint32(writer, checked(record.ttl, 0x7fff_ffff, 'ttl'))
  const lengthAt = reserve(writer, 2)
  writeData(writer, record)
  setUint16(writer.bytes, lengthAt, writer.offset - lengthAt - 2)
}

function writeData(writer: Writer, data: RecordData): void {
  switch (data.type) {
    case 'A':
      writeAddress(writer, data.address, 4)
      break
    case 'AAAA':
      writeAddress(writer, data.address, 16)
      break
    case 'CNAME':
    case 'NS':
    case 'PTR':
      writeName(writer, data.target)
      break
    case 'MX':
      writeUint16(writer, checked(data.preference, 0xffff, 'preference'))
      writeName(writer, data.exchange)
      break
    case 'SRV':
      writeUint16(writer, checked(data.priority, 0xffff, 'priority'))
      writeUint16(writer, checked(data.weight, 0xffff, 'weight'))
      writeUint16(writer, checked(data.port, 0xffff, 'port'))
      writeName(writer, data.target, false)
      break
    case 'TXT':
      writeStrings(writer, data.strings)
      break
    case 'SOA':
      writeSoa(writer, data)
      break
    default:
      writeOctets(writer, data.data)
  }
}

function writeAddress(writer: Writer, address: Ip, length: 4 | 16): void {
  if ((length === 16) !== address.includes(':')) throw new RangeError(`${address} is not of ${length} octets`)
  ipToBytes(address, writer.bytes, reserve(writer, length))
}

function writeStrings(writer: Writer, strings: readonly Uint8Array[]): void {
  if (strings.length === 0) throw new RangeError('a TXT record has at least one string')
  for (const string of strings) {
    writeUint8(writer, checked(string.length, 255, 'length of a TXT string'))
    writeOctets(writer, string)
  }
}

function writeSoa(writer: Writer, soa: SoaData): void {
  writeName(writer, soa.primary)
  writeName(writer, soa.mailbox)
  for (const field of ['serial', 'refresh', 'retry', 'expire', 'minimum'] as const) {
    writeUint32(writer, checked(soa[field], 0xffff_ffff, field))
  }
}

function checked(value: number, max: number, what: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new RangeError(`${what} ${value} is not an integer from 0 to ${max}`)
}
