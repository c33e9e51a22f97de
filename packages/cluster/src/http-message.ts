const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Most octets of a request's or response's head. */
const MAX_HEAD = 16_384

export interface HttpHead {
  /** Request line or status line. */
  readonly start: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Octets that came after the head. */
  readonly rest: Uint8Array
}

/** Reads up to the empty line (RFC 9112, section 2). Undefined when the stream ends before; throws when it is not HTTP. */
export async function readHead(chunks: AsyncIterator<Uint8Array>): Promise<HttpHead | undefined> {
  let seen: Uint8Array<ArrayBufferLike> = new Uint8Array(0)
  for (;;) {
    const next = await chunks.next()
    if (next.done) return undefined
    seen = join(seen, next.value)
    const text = decoder.decode(seen)
    const end = text.indexOf('\r\n\r\n')
    if (end >= 0)
      return parseHead(text.slice(0, end), seen.subarray(encoder.encode(text.slice(0, end + 4)).length))
    if (seen.length > MAX_HEAD) throw new RangeError(`an HTTP head of more than ${MAX_HEAD} octets`)
  }
}

function parseHead(text: string, rest: Uint8Array): HttpHead {
  const [start = '', ...lines] = text.split('\r\n')
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':')
    return [line.slice(0, Math.max(colon, 0)).toLowerCase(), line.slice(colon + 1).trim()]
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
  return join(encoder.encode(`${head.join('\r\n')}\r\n\r\n`), body)
}

/** A whole request without a body. */
export function httpRequest(path: string, host: string): Uint8Array {
  return encoder.encode(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)
}

export function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
