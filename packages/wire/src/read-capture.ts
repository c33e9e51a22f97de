import { ByteReader } from './byte-reader.ts'
import type { ByteSource, CapturedPacket, CaptureReadOptions } from './captured-packet.ts'
import { isPcap, readPcap } from './pcap.ts'
import { isPcapng, readPcapng } from './pcapng-reader.ts'
import { WireError } from './wire-error.ts'

/**
 * The packets of a pcap or pcapng file, told apart by how it begins, as they arrive. `WireError` of protocol
 * `capture` for any other file; for the rest see `readPcap` and `readPcapng`.
 */
export async function* readCapture(
  source: ByteSource,
  options: CaptureReadOptions = {},
): AsyncGenerator<CapturedPacket> {
  const reader = new ByteReader(source)
  try {
    const start = await reader.read(4)
    const whole = chain(start, reader)
    if (isPcap(start)) yield* readPcap(whole, options)
    else if (isPcapng(start)) yield* readPcapng(whole, options)
    else throw new WireError('WIRE_MALFORMED', 'capture', 0, 'the file begins like neither pcap nor pcapng')
  } finally {
    await reader.close()
  }
}

async function* chain(start: Uint8Array, rest: ByteReader): AsyncGenerator<Uint8Array> {
  yield start
  for (;;) {
    const chunk = await rest.chunk()
    if (chunk === undefined) return
    yield chunk
  }
}
