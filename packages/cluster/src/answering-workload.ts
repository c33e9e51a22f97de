import type { LocalEndpoint, TcpConnection } from '@podfabric/kernel'
import type { ContainerPort } from '@podfabric/kube'
import { familyOf, UNSPECIFIED_IPV4, UNSPECIFIED_IPV6 } from '@podfabric/netaddr'
import { formatAnswer } from './answer.ts'
import { httpResponse, readHead } from './http-message.ts'
import type { Workload, WorkloadContext, WorkloadFactory } from './workload.ts'

/** Most octets that `/bytes/N` gives. */
export const maxBytes = 16 * 1024 * 1024

/** Something that answers at one port until it is closed. */
interface Service {
  close(): Promise<void>
}

/**
 * The workload of a container that is simulated: every declared port answers, at all the pod's addresses and on localhost. TCP
 * speaks HTTP/1.1: any path gives an `Answer` as JSON, `/bytes/N` gives N octets, of which octet `i` is `i` modulo 251. UDP
 * gives the `Answer` for any datagram. It goes on answering until it is stopped, as a program does that takes its whole
 * grace period.
 */
export const answeringWorkload: WorkloadFactory = async (context) => {
  const open: Service[] = []
  try {
    for (const port of context.container.ports) {
      for (const local of placesFor(port, context)) open.push(await serve(port, local, context))
    }
  } catch (error) {
    await closeAll(open).catch((left) =>
      context.log.warn('a container that did not start left sockets', { left }),
    )
    throw error
  }
  return { stop: () => closeAll(open) } satisfies Workload
}

async function closeAll(open: readonly Service[]): Promise<void> {
  const outcomes = await Promise.allSettled(open.map((service) => service.close()))
  const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
  if (errors.length > 0) throw new AggregateError(errors, 'a container’s sockets could not be closed')
}

/** Everywhere, once for each family that the pod has. */
function placesFor(
  { containerPort: port }: ContainerPort,
  { addresses }: WorkloadContext,
): readonly LocalEndpoint[] {
  const families = new Set(addresses.map(familyOf))
  return [
    ...(families.has(4) ? [{ address: UNSPECIFIED_IPV4, port }] : []),
    ...(families.has(6) ? [{ address: UNSPECIFIED_IPV6, port }] : []),
  ]
}

function serve(port: ContainerPort, local: LocalEndpoint, context: WorkloadContext): Promise<Service> {
  if (port.protocol === 'TCP') return serveTcp(local, context)
  if (port.protocol === 'UDP') return serveUdp(local, context)
  const { log, container } = context
  log.warn('SCTP is not implemented: the port does not answer', {
    port: port.containerPort,
    container: container.name,
  })
  return Promise.resolve({ close: async () => undefined })
}

async function serveTcp(local: LocalEndpoint, context: WorkloadContext): Promise<Service> {
  const listener = await context.sockets.listen(local)
  const connections = new Set<TcpConnection>()
  let closed = false

  async function accept() {
    for await (const connection of listener) {
      connections.add(connection)
      serveConnection(connection, context)
        .catch((error: unknown) =>
          context.log.debug('a connection to a container broke', { from: connection.remote, error }),
        )
        .finally(() => connections.delete(connection))
    }
  }

  accept().catch((error: unknown) => {
    if (!closed) context.log.error('a container answers no more', { local: listener.local, error })
  })
  return {
    async close() {
      closed = true
      await Promise.all([listener.close(), ...[...connections].map((connection) => connection.reset())])
    },
  }
}

async function serveConnection(connection: TcpConnection, context: WorkloadContext): Promise<void> {
  try {
    const head = await readHead(connection[Symbol.asyncIterator]())
    if (head) await connection.write(responseTo(head.start, connection, context))
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
  const count = /^\/bytes\/(\d{1,9})$/.exec(path)?.[1]
  if (count === undefined) {
    return httpResponse('200 OK', 'application/json', answerOf(context, local.port, remote))
  }
  if (Number(count) > maxBytes) return httpResponse('413 Content Too Large', 'text/plain', new Uint8Array(0))
  return httpResponse('200 OK', 'application/octet-stream', pattern(Number(count)))
}

function pattern(count: number): Uint8Array {
  const octets = new Uint8Array(count)
  for (let i = 0; i < count; i++) octets[i] = i % 251
  return octets
}

async function serveUdp(local: LocalEndpoint, context: WorkloadContext): Promise<Service> {
  const socket = await context.sockets.udp(local)
  let closed = false

  async function answer() {
    for await (const { from } of socket) {
      // An asker that cannot be reached is no reason to stop answering the others.
      await socket
        .send(answerOf(context, socket.local.port, from), from)
        .catch((error: unknown) => context.log.debug('an answer could not be sent', { to: from, error }))
    }
  }

  answer().catch((error: unknown) => {
    if (!closed) context.log.error('a container answers no more', { local: socket.local, error })
  })
  return {
    async close() {
      closed = true
      await socket.close()
    },
  }
}

function answerOf(
  { pod, container }: WorkloadContext,
  port: number,
  client: TcpConnection['remote'],
): Uint8Array {
  const { name, namespace } = pod.metadata
  const node = pod.spec.nodeName ?? ''
  return formatAnswer({ pod: name, namespace, container: container.name, node, port, client })
}
