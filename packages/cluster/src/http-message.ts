import { ClusterError } from './cluster-error.ts'
import { joined } from './octets.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Most octets of a request's or response's head. */
export const maxHead = 16_384

export interface HttpHead {
  /** Request line or status line. */
  readonly start: string
  /** Names in lower case; of a name that comes twice, the last value. */
  readonly headers: ReadonlyMap<string, string>
  /** Octets that came after the head. */
  readonly rest: Uint8Array
}

/**
 * Reads up to the empty line (RFC 9112, section 2), wherever the stream is cut. Undefined when the stream ends before;
 * CLUSTER_BAD_ANSWER for a line that is no header, and for a head of more than `maxHead` octets.
 */
export async function readHead(chunks: AsyncIterator<Uint8Array>): Promise<HttpHead | undefined> {
  let seen: Uint8Array = new Uint8Array(0)
  for (;;) {
    const next = await chunks.next()
    if (next.done) return undefined
    const from = Math.max(0, seen.length - 3)
    seen = joined([seen, next.value])
    const end = endOfHead(seen, from)
    if (end > maxHead || (end < 0 && seen.length > maxHead + 3)) {
      throw new ClusterError('CLUSTER_BAD_ANSWER', `an HTTP head of more than ${maxHead} octets`)
    }
    if (end >= 0) return parseHead(decoder.decode(seen.subarray(0, end)), seen.subarray(end + 4))
  }
}

/** Where the first empty line begins, CRLF of the line before included, or -1. */
function endOfHead(octets: Uint8Array, from: number): number {
  for (let at = octets.indexOf(13, from); at >= 0; at = octets.indexOf(13, at + 1)) {
    if (octets[at + 1] === 10 && octets[at + 2] === 13 && octets[at + 3] === 10) return at
  }
  return -1
}

function parseHead(text: string, rest: Uint8Array): HttpHead {
  const [start = '', ...lines] = text.split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    if (colon < 1) {
      throw new ClusterError('CLUSTER_BAD_ANSWER', `no HTTP header: ${JSON.stringify(line.slice(0, 80))}`)
    }
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  return { start, headers: new Map(headers), rest }
}

/** A whole response that ends the connection. */
export function httpResponse(status: string, type: string, body: Uint8Array): Uint8Array {
  const head = [
    `HTTP/1.1 ${status}`,
    `content-type: ${type}`,
    `content-length: ${body.length}`,
    'connection: close',
  ]
  return joined([encoder.encode(`${head.join('\r\n')}\r\n\r\n`), body])
}

/** A whole request without a body. */
export function httpRequest(path: string, host: string): Uint8Array {
  return encoder.encode(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
}
