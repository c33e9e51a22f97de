import type { Endpoint, Sockets } from '@podfabric/kernel'
import { familyOf } from '@podfabric/netaddr'
import { type Answer, parseAnswer } from './answer.ts'
import { ClusterError } from './cluster-error.ts'
import { type HttpHead, httpRequest, readHead } from './http-message.ts'
import { joined } from './octets.ts'

export interface HttpResponse {
  readonly status: number
  readonly body: Uint8Array
}

export interface HttpGetOptions {
  /** Begins with `/`. Default `/`. */
  readonly path?: string
  readonly signal?: AbortSignal | undefined
}

/**
 * One GET from a namespace's sockets. Rejects with the socket's error; with CLUSTER_BAD_ANSWER where the other side does not
 * speak HTTP or ends before the length that it announced; and with the signal's reason, the connection reset.
 */
export async function httpGet(
  sockets: Pick<Sockets, 'connect'>,
  to: Endpoint,
  options: HttpGetOptions = {},
): Promise<HttpResponse> {
  const { path = '/', signal } = options
  const connection = await sockets.connect(to, { signal })
  // A connection that cannot even be reset is one that is gone: the request fails by itself then.
  const onAbort = () => void connection.reset().catch(() => undefined)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await connection.write(httpRequest(path, describe(to)))
    return await readResponse(connection[Symbol.asyncIterator](), to)
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await connection.close()
  }
}

/** Asks a simulated container who it is and whom it sees. Rejects as `httpGet`. */
export async function askWorkload(
  sockets: Pick<Sockets, 'connect'>,
  to: Endpoint,
  options: HttpGetOptions = {},
): Promise<Answer> {
  const { status, body } = await httpGet(sockets, to, options)
  if (status !== 200) throw badAnswer(to, `answered with status ${status}`)
  return parseAnswer(new TextDecoder().decode(body))
}

async function readResponse(chunks: AsyncIterator<Uint8Array>, to: Endpoint): Promise<HttpResponse> {
  const head = await readHead(chunks)
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head?.start ?? '')?.[1]
  if (!head || status === undefined) throw badAnswer(to, 'does not speak HTTP')
  const length = contentLength(head, to)
  const pieces = [head.rest]
  let read = head.rest.length
  while (read < length) {
    const next = await chunks.next()
    if (next.done) break
    pieces.push(next.value)
    read += next.value.length
  }
  if (Number.isFinite(length) && read < length) throw badAnswer(to, `sent ${read} of ${length} octets`)
  return { status: Number(status), body: joined(pieces).subarray(0, length) }
}

/** Without one the body ends with the stream (RFC 9112, section 6.3). */
function contentLength({ headers }: HttpHead, to: Endpoint): number {
  const text = headers.get('content-length')
  if (text === undefined) return Number.POSITIVE_INFINITY
  if (!/^\d{1,15}$/.test(text)) throw badAnswer(to, `announced ${JSON.stringify(text.slice(0, 40))} octets`)
  return Number(text)
}

function badAnswer(to: Endpoint, what: string): ClusterError {
  return new ClusterError('CLUSTER_BAD_ANSWER', `${describe(to)} ${what}`)
}

function describe({ address, port }: Endpoint): string {
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`
}
