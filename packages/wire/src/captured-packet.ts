/** A packet of a capture file. */
export interface CapturedPacket {
  /** Nanoseconds since 1970-01-01 00:00 UTC; undefined where the file has none (pcapng's simple packet blocks). */
  readonly timestamp: bigint | undefined
  /** The interface's place in its section, from 0; always 0 in pcap. */
  readonly interfaceIndex: number
  /** Undefined where the file does not name it, always in pcap. */
  readonly interfaceName: string | undefined
  /** What the packet begins with: `linkTypes`. */
  readonly linkType: number
  /** The octets that were kept. The reader's own copy: they stay valid. */
  readonly bytes: Uint8Array
  /** How long the packet was before it was cut to the capture's snap length. */
  readonly originalLength: number
  /** In order; pcapng only. */
  readonly comments: readonly string[]
}

/** A file in pieces of any size, such as a Node.js or web stream, or an array with the whole file. */
export type ByteSource = Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface CaptureReadOptions {
  /** The longest block or packet that is believed, in octets: default 16 MiB. A longer one ends the reading with an error. */
  readonly maxBlockLength?: number
}

export const MAX_BLOCK_LENGTH = 16 * 1024 * 1024
