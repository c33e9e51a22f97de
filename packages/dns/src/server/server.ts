import type { Clock, Endpoint, Sockets, TcpConnection } from '@podfabric/kernel'
import type { Ip } from '@podfabric/netaddr'
import type { Zone } from '../zone/zone.ts'
import { type DnsLog, silent } from './log.ts'
import { type Responder, responder } from './responder.ts'
import { frameMessages, frameReader } from './tcp-frames.ts'

export interface DnsServerOptions {
  readonly zones: readonly Zone[]
  /** Where it listens: the sockets of a pod's or a node's namespace. */
  readonly sockets: Pick<Sockets, 'udp' | 'listen'>
  readonly clock: Clock
  readonly random: () => number
  /** Default: the address that the sockets take when none is named. */
  readonly address?: Ip
  /** Default 53; 0 takes a free one. */
  readonly port?: number
  readonly log?: DnsLog
  /** Milliseconds that a TCP connection may be silent (RFC 7766, section 6.2.3). Default 10,000. */
  readonly idleTimeout?: number
  /** Further TCP connections are reset. Default 256. */
  readonly maxConnections?: number
}

/** A server that answers over UDP and TCP at one address and port until it is closed. */
export interface DnsServer extends AsyncDisposable {
  readonly local: Endpoint
  /** Stops answering and lets its sockets go. May be called again. */
  close(): Promise<void>
}

/** Listens on both transports, or on none: rejects with what the sockets say (EADDRINUSE, EADDRNOTAVAIL). */
export async function dnsServer(options: DnsServerOptions): Promise<DnsServer> {
  const { zones, sockets, clock, random, address, port = 53, log = silent } = options
  const { idleTimeout = 10_000, maxConnections = 256 } = options
  const core = responder({ zones, random, log })
  const udp = await sockets.udp({ ...(address === undefined ? {} : { address }), port })
  const listener = await sockets.listen(udp.local).catch(async (error: unknown) => {
    await udp.close()
    throw error
  })
  const connections = new Set<TcpConnection>()
  let closing = false

  async function serveUdp(): Promise<void> {
    while (!closing) {
      const { data, from } = await udp.receive()
      const answer = core.answer(data, { transport: 'udp', source: from })
      if (!answer) continue
      // An asker that has gone away is no reason to stop answering the others.
      await udp
        .send(answer, from)
        .catch((error: unknown) => log.debug('could not send an answer', { to: from, error }))
    }
  }

  async function serveTcp(): Promise<void> {
    while (!closing) {
      const connection = await listener.accept()
      if (connections.size >= maxConnections) {
        log.debug('too many dns connections', { from: connection.remote, maxConnections })
        await connection
          .reset()
          .catch((error: unknown) => log.debug('could not reset a connection', { error }))
        continue
      }
      connections.add(connection)
      serveConnection(connection, core, clock, idleTimeout)
        .catch((error: unknown) => log.debug('a dns connection broke', { from: connection.remote, error }))
        .finally(() => connections.delete(connection))
    }
  }

  function watch(what: string, loop: Promise<void>): Promise<void> {
    return loop.catch((error: unknown) => {
      if (!closing) log.error(`dns over ${what} has stopped`, { local: udp.local, error })
    })
  }

  const loops = [watch('udp', serveUdp()), watch('tcp', serveTcp())]

  async function close(): Promise<void> {
    closing = true
    const closed = await Promise.allSettled([
      udp.close(),
      listener.close(),
      ...[...connections].map((connection) => connection.reset()),
    ])
    await Promise.all(loops)
    const errors = closed.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    if (errors.length > 0) throw new AggregateError(errors, 'closing the dns server failed')
  }

  return { local: udp.local, close, [Symbol.asyncDispose]: close }
}

/** Answers until the asker finishes or falls silent; all answers to one chunk go out in one write. */
async function serveConnection(
  connection: TcpConnection,
  core: Responder,
  clock: Clock,
  idleTimeout: number,
): Promise<void> {
  const frames = frameReader()
  const asker = { transport: 'tcp', source: connection.remote } as const
  try {
    for (;;) {
      const chunk = await readWithin(connection, clock, idleTimeout)
      if (chunk === undefined) return
      const answers = frames.push(chunk).flatMap((message) => core.answer(message, asker) ?? [])
      if (answers.length > 0) await connection.write(frameMessages(answers))
    }
  } finally {
    await connection.close()
  }
}

/** The next octets; undefined when the other side has finished, or nothing came in time. */
async function readWithin(
  connection: TcpConnection,
  clock: Clock,
  timeout: number,
): Promise<Uint8Array | undefined> {
  const controller = new AbortController()
  const timer = clock.after(timeout, () => controller.abort(), { background: true })
  try {
    return await connection.read({ signal: controller.signal })
  } catch (error) {
    if (controller.signal.aborted) return undefined
    throw error
  } finally {
    timer[Symbol.dispose]()
  }
}
