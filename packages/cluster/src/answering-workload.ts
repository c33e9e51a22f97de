import type { Endpoint, TcpConnection, TcpListener, UdpSocket } from '@podfabric/kernel'
import type { ContainerPort } from '@podfabric/kube'
import { httpResponse, readHead } from './http-message.ts'
import type { Workload, WorkloadContext, WorkloadFactory } from './workload.ts'

/** What a simulated container says of itself and of who asked. */
export interface Answer {
  readonly pod: string
  readonly namespace: string
  readonly container: string
  readonly node: string
  /** The port that was asked. */
  readonly port: number
  /** The asker's address and port as this container sees them. */
  readonly client: Endpoint
}

/** Most octets that `/bytes/N` gives. */
const MAX_BYTES = 16 * 1024 * 1024

/**
 * The workload of a container that is simulated: every declared port answers. TCP speaks HTTP/1.1: any path gives an
 * `Answer` as JSON, `/bytes/N` gives N octets. UDP gives the `Answer` for any datagram. It goes on answering until it is
 * stopped, as a program does that takes its whole grace period.
 */
export const answeringWorkload: WorkloadFactory = async (context) => {
  const open: { close(): Promise<void> }[] = []
  try {
    for (const port of context.container.ports) open.push(await servePort(port, context))
  } catch (error) {
    await Promise.allSettled(open.map((socket) => socket.close()))
    throw error
  }
  return closing(open)
}

function closing(open: readonly { close(): Promise<void> }[]): Workload {
  return {
    async stop() {
      const outcomes = await Promise.allSettled(open.map((socket) => socket.close()))
      const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
      if (errors.length > 0) throw new AggregateError(errors, 'a container’s sockets could not be closed')
    },
  }
}

async function servePort(port: ContainerPort, context: WorkloadContext) {
  const { sockets, log } = context
  const local = { port: port.containerPort }
  const failed = (error: unknown) => log.warn('a workload failed to answer', { ...local, error })
  if (port.protocol === 'TCP') {
    const listener = await sockets.listen(local)
    serveTcp(listener, context).catch(failed)
    return listener
  }
  if (port.protocol === 'UDP') {
    const socket = await sockets.udp(local)
    serveUdp(socket, context).catch(failed)
    return socket
  }
  log.warn('SCTP is not implemented: the port does not answer', {
    ...local,
    container: context.container.name,
  })
  return { close: async () => undefined }
}

async function serveTcp(listener: TcpListener, context: WorkloadContext): Promise<void> {
  for await (const connection of listener) {
    serveConnection(connection, context).catch((error) =>
      context.log.debug('a connection to a workload broke', { remote: connection.remote, error }),
    )
  }
}

async function serveConnection(connection: TcpConnection, context: WorkloadContext): Promise<void> {
  try {
    const head = await readHead(connection[Symbol.asyncIterator]())
    if (!head) return
    await connection.write(responseTo(head.start, connection, context))
  } finally {
    await connection.close()
  }
}

function responseTo(
  requestLine: string,
  { local, remote }: TcpConnection,
  context: WorkloadContext,
): Uint8Array {
  const [, path = ''] = requestLine.split(' ')
  const bytes = /^\/bytes\/(\d{1,9})$/.exec(path)
  if (!bytes) return httpResponse('200 OK', 'application/json', answerOf(context, local.port, remote))
  const count = Number(bytes[1])
  if (count > MAX_BYTES) return httpResponse('413 Content Too Large', 'text/plain', new Uint8Array(0))
  return httpResponse(
    '200 OK',
    'application/octet-stream',
    Uint8Array.from({ length: count }, (_, i) => i % 251),
  )
}

async function serveUdp(socket: UdpSocket, context: WorkloadContext): Promise<void> {
  for await (const { from } of socket) await socket.send(answerOf(context, socket.local.port, from), from)
}

function answerOf({ pod, container }: WorkloadContext, port: number, client: Endpoint): Uint8Array {
  const { name, namespace } = pod.metadata
  const answer: Answer = {
    pod: name,
    namespace,
    container: container.name,
    node: pod.spec.nodeName ?? '',
    port,
    client: { address: client.address, port: client.port },
  }
  return new TextEncoder().encode(`${JSON.stringify(answer)}\n`)
}
