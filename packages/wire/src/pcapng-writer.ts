import { viewOf } from './field.ts'
import { linkTypes } from './link-type.ts'
import { BYTE_ORDER_MAGIC, blockTypes, optionCodes, padded } from './pcapng-block.ts'

export interface PcapngSection {
  /** The program that writes the file, as capture tools show it. */
  readonly application?: string
  readonly comment?: string
}

export interface PcapngInterface {
  /** As `ip link` names it; with a namespace in front where several are captured. */
  readonly name: string
  readonly description?: string
  /** Default: Ethernet. */
  readonly linkType?: number
}

export interface PcapngPacket {
  /** What `addInterface` returned. */
  readonly interfaceIndex: number
  /** Nanoseconds since 1970, 0 to 2^64 - 1. */
  readonly timestamp: bigint
  readonly bytes: Uint8Array
  /** Default: all octets are there. */
  readonly originalLength?: number
  readonly comments?: readonly string[]
}

export interface PcapngWriter {
  /** Interfaces can be added at any time, and packets name them by the number returned, from 0. */
  addInterface(description: PcapngInterface): number
  addPacket(packet: PcapngPacket): void
}

const encoder = new TextEncoder()

/**
 * Writes a pcapng file of one little-endian section, with nanoseconds. `write` gets one whole block at a time,
 * the section header at once; each block is a fresh buffer, the caller's to keep.
 */
export function pcapngWriter(write: (block: Uint8Array) => void, section: PcapngSection = {}): PcapngWriter {
  let interfaces = 0
  write(sectionHeader(section))
  return {
    addInterface(description) {
      write(interfaceDescription(description))
      return interfaces++
    },
    addPacket(packet) {
      if (
        !Number.isInteger(packet.interfaceIndex) ||
        packet.interfaceIndex < 0 ||
        packet.interfaceIndex >= interfaces
      ) {
        throw new RangeError(
          `pcapng: interface ${packet.interfaceIndex} was not added, there are ${interfaces}`,
        )
      }
      write(enhancedPacket(packet))
    },
  }
}

type Option = readonly [code: number, value: Uint8Array]

function sectionHeader({ application, comment }: PcapngSection): Uint8Array {
  const options: Option[] = []
  if (comment !== undefined) options.push([optionCodes.comment, encoder.encode(comment)])
  if (application !== undefined) options.push([optionCodes.sectionApplication, encoder.encode(application)])
  return block(blockTypes.sectionHeader, 16, options, (view) => {
    view.setUint32(8, BYTE_ORDER_MAGIC, true)
    view.setUint16(12, 1, true)
    view.setUint16(14, 0, true)
    view.setBigInt64(16, -1n, true)
  })
}

function interfaceDescription({
  name,
  description,
  linkType = linkTypes.ethernet,
}: PcapngInterface): Uint8Array {
  const options: Option[] = [[optionCodes.interfaceName, encoder.encode(name)]]
  if (description !== undefined) options.push([optionCodes.interfaceDescription, encoder.encode(description)])
  options.push([optionCodes.interfaceTimeResolution, Uint8Array.of(9)])
  return block(blockTypes.interfaceDescription, 8, options, (view) => {
    view.setUint16(8, linkType, true)
  })
}

function enhancedPacket({
  interfaceIndex,
  timestamp,
  bytes,
  originalLength,
  comments = [],
}: PcapngPacket): Uint8Array {
  if (timestamp < 0n || timestamp >> 64n !== 0n)
    throw new RangeError(`pcapng: timestamp ${timestamp} is not 64 bits`)
  const options = comments.map((comment): Option => [optionCodes.comment, encoder.encode(comment)])
  return block(blockTypes.enhancedPacket, 20 + padded(bytes.length), options, (view, out) => {
    view.setUint32(8, interfaceIndex, true)
    view.setUint32(12, Number(timestamp >> 32n), true)
    view.setUint32(16, Number(timestamp & 0xffff_ffffn), true)
    view.setUint32(20, bytes.length, true)
    view.setUint32(24, originalLength ?? bytes.length, true)
    out.set(bytes, 28)
  })
}

function block(
  type: number,
  bodyLength: number,
  options: readonly Option[],
  fill: (view: DataView, out: Uint8Array) => void,
): Uint8Array {
  let length = 12 + bodyLength
  for (const [, value] of options) length += 4 + padded(checkedLength(value))
  if (options.length > 0) length += 4
  const out = new Uint8Array(length)
  const view = viewOf(out)
  view.setUint32(0, type, true)
  view.setUint32(4, length, true)
  fill(view, out)
  let at = 8 + bodyLength
  for (const [code, value] of options) {
    view.setUint16(at, code, true)
    view.setUint16(at + 2, value.length, true)
    out.set(value, at + 4)
    at += 4 + padded(value.length)
  }
  view.setUint32(length - 4, length, true)
  return out
}

function checkedLength(value: Uint8Array): number {
  if (value.length > 0xffff)
    throw new RangeError(`pcapng: an option of ${value.length} octets, at most 65535 fit`)
  return value.length
}
