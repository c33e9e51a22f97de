import { createReadStream } from 'node:fs'
import { overlayFormatters, overlayProtocols } from '@podfabric/overlay'
import { type CapturedPacket, dissect, dissectionToJson, formatPacket, readCapture } from '@podfabric/wire'
import { exitCodes, Failure } from '../failure.ts'
import type { Output } from '../output.ts'

export interface DecodeOptions {
  readonly json: boolean
  readonly link: boolean
  readonly checksums: boolean
}

/**
 * Prints each packet of a pcap or pcapng file: one line of text, or one line of JSON with every layer. Malformed packets are
 * marked and reading goes on; the exit code is 1 then. The file is read as a stream.
 */
export async function decode(file: string, options: DecodeOptions, output: Output): Promise<number> {
  let number = 0
  let malformed = 0
  try {
    for await (const packet of readCapture(createReadStream(file))) {
      number++
      const dissection = dissect(packet.bytes, {
        start: packet.linkType,
        protocols: overlayProtocols,
        verifyChecksums: options.checksums,
      })
      if (dissection.errors.length > 0) malformed++
      output.line(
        options.json
          ? JSON.stringify({ number, ...facts(packet), dissection: dissectionToJson(dissection) })
          : [
              number,
              timeOf(packet),
              packet.interfaceName ?? `#${packet.interfaceIndex}`,
              formatPacket(dissection, { formatters: overlayFormatters, link: options.link }),
            ].join('  '),
      )
    }
  } catch (cause) {
    const where = number === 0 ? file : `${file}, after packet ${number}`
    throw new Failure('usage', `${where}: ${cause instanceof Error ? cause.message : cause}`, { cause })
  }
  if (malformed > 0) output.note(`${malformed} of ${number} packets are malformed`)
  return malformed > 0 ? exitCodes.failed : 0
}

function facts({
  timestamp,
  interfaceIndex,
  interfaceName,
  linkType,
  originalLength,
  comments,
}: CapturedPacket) {
  return {
    timestamp: timestamp === undefined ? null : timestamp.toString(),
    interface: interfaceName ?? interfaceIndex,
    linkType,
    originalLength,
    comments,
  }
}

/** Hours to nanoseconds in UTC, as `tcpdump -tttt` without the date. */
function timeOf({ timestamp }: CapturedPacket): string {
  if (timestamp === undefined) return '-'
  const seconds = new Date(Number(timestamp / 1_000_000n)).toISOString().slice(11, 19)
  return `${seconds}.${(timestamp % 1_000_000_000n).toString().padStart(9, '0')}`
}
