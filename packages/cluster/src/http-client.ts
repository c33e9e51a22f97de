import type { Endpoint, Sockets } from '@podfabric/kernel'
import type { Answer } from './answering-workload.ts'
import { httpRequest, join, readHead } from './http-message.ts'

export interface HttpResponse {
  readonly status: number
  readonly body: Uint8Array
}

export interface HttpGetOptions {
  /** Default `/`. */
  readonly path?: string
  readonly signal?: AbortSignal | undefined
}

/**
 * One GET from a namespace's sockets. Rejects with the socket's error, with EPROTO's like (`TypeError`) where the other side
 * does not speak HTTP, and when the body ends before its announced length.
 */
export async function httpGet(
  sockets: Pick<Sockets, 'connect'>,
  to: Endpoint,
  options: HttpGetOptions = {},
): Promise<HttpResponse> {
  const { path = '/', signal } = options
  const connection = await sockets.connect(to, { signal })
  const onAbort = () => void connection.reset()
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    await connection.write(httpRequest(path, to.address))
    return await readResponse(connection[Symbol.asyncIterator](), to)
  } catch (error) {
    throw signal?.aborted ? signal.reason : error
  } finally {
    signal?.removeEventListener('abort', onAbort)
    await connection.close()
  }
}

/** Asks a simulated container who it is and whom it sees. */
export async function askWorkload(
  sockets: Pick<Sockets, 'connect'>,
  to: Endpoint,
  options: HttpGetOptions = {},
): Promise<Answer> {
  const { status, body } = await httpGet(sockets, to, options)
  if (status !== 200) throw new Error(`${to.address}:${to.port} answered with status ${status}`)
  const answer: Answer = JSON.parse(new TextDecoder().decode(body))
  return answer
}

async function readResponse(
  chunks: AsyncIterator<Uint8Array>,
  { address, port }: Endpoint,
): Promise<HttpResponse> {
  const head = await readHead(chunks)
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(head?.start ?? '')?.[1]
  if (!head || status === undefined) throw new TypeError(`${address}:${port} does not speak HTTP`)
  const length = Number(head.headers.get('content-length') ?? 'NaN')
  let body = head.rest
  while (!(body.length >= length)) {
    const next = await chunks.next()
    if (next.done) break
    body = join(body, next.value)
  }
  if (body.length < length) throw new TypeError(`${address}:${port} sent ${body.length} of ${length} octets`)
  return { status: Number(status), body }
}
