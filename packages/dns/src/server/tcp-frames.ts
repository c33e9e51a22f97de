import { uint16At } from '../message/reader.ts'
import { maxMessageLength } from '../message/writer.ts'

/** Takes messages out of a stream of octets, each after its length in two octets (RFC 1035, section 4.2.2). */
export interface FrameReader {
  /** The messages that `chunk` completes; each is octets of its own. */
  push(chunk: Uint8Array): readonly Uint8Array[]
  /** Octets of a message that is not complete yet. */
  readonly pending: number
}

export function frameReader(): FrameReader {
  let chunks: Uint8Array[] = []
  let pending = 0

  function joined(): Uint8Array {
    const [first] = chunks
    if (first && chunks.length === 1) return first
    const bytes = new Uint8Array(pending)
    let at = 0
    for (const chunk of chunks) {
      bytes.set(chunk, at)
      at += chunk.length
    }
    return bytes
  }

  /** Octets that the first message needs in all, as far as its length is known. */
  function needed(): number {
    const [first, second] = chunks
    const high = first?.[0]
    const low = first?.[1] ?? second?.[0]
    return high === undefined || low === undefined ? 2 : 2 + ((high << 8) | low)
  }

  return {
    push(chunk) {
      if (chunk.length === 0) return []
      chunks.push(chunk)
      pending += chunk.length
      if (pending < needed()) return []
      const bytes = joined()
      const messages: Uint8Array[] = []
      let at = 0
      while (bytes.length - at >= 2) {
        const end = at + 2 + uint16At(bytes, at)
        if (end > bytes.length) break
        messages.push(bytes.slice(at + 2, end))
        at = end
      }
      pending = bytes.length - at
      chunks = pending === 0 ? [] : [bytes.slice(at)]
      return messages
    },
    get pending() {
      return pending
    },
  }
}

/** Messages with their lengths in front, in one piece: one write for all of them. */
export function frameMessages(messages: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(messages.reduce((length, message) => length + 2 + message.length, 0))
  let at = 0
  for (const message of messages) {
    if (message.length > maxMessageLength)
      throw new RangeError(`a dns message of ${message.length} octets has no frame`)
    bytes[at] = message.length >>> 8
    bytes[at + 1] = message.length
    bytes.set(message, at + 2)
    at += 2 + message.length
  }
  return bytes
}
