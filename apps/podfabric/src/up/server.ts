import { once } from 'node:events'
import { unlink } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { exitCodeOf, exitCodes, explain, Failure } from '../failure.ts'
import type { Output } from '../output.ts'
import { isUp } from './client.ts'
import { parseRequest, type Reply, type Request } from './message.ts'

/** Where a command that runs in the cluster's process writes to; also octets. */
export interface RemoteOutput extends Output {
  data(bytes: Uint8Array): void
}

export type Serve = (request: Request, output: RemoteOutput, signal: AbortSignal) => Promise<number>

export interface CommandServer {
  /** Takes no more commands, removes the socket's file, and aborts the signals of those that run. */
  stop(): void
  /** Stops, and tells those that still wait that there is nobody left to answer. */
  close(): Promise<void>
}

/** Longest request, in characters. */
const maxRequest = 1_000_000

/**
 * Listens at a Unix socket that its owner alone may use; one that a cluster left behind when it was killed is replaced. `signal` is
 * aborted when the asker goes away, and when the server stops. Fails with the reason `usage` where another server listens.
 */
export async function commandServer(path: string, serve: Serve): Promise<CommandServer> {
  const open = new Map<Socket, AbortController>()
  const server = createServer((socket) => {
    const gone = new AbortController()
    open.set(socket, gone)
    socket.on('close', () => {
      open.delete(socket)
      gone.abort(new Error('the asker went away'))
    })
    answer(socket, serve, gone.signal).catch(() => socket.destroy())
  })
  await listen(server, path)
  let stopped: Promise<unknown> | undefined
  const stop = () => {
    if (stopped) return
    stopped = once(server, 'close')
    server.close()
    for (const gone of open.values()) gone.abort(new Error('the cluster ends'))
  }
  return {
    stop,
    async close() {
      stop()
      await new Promise((resolve) => setImmediate(resolve)) // what was aborted may still say its last words
      for (const socket of open.keys()) {
        if (!socket.writable) continue
        say(socket, { note: 'podfabric: the cluster ended before it had answered' })
        say(socket, { exit: exitCodes.failed })
        socket.end()
      }
      await stopped
    },
  }
}

async function listen(server: ReturnType<typeof createServer>, path: string): Promise<void> {
  try {
    await listenOnce(server, path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    if (await isUp(path))
      throw new Failure('usage', `a cluster is up already (${path}); end it first: podfabric down`, {
        cause: error,
      })
    await unlink(path)
    await listenOnce(server, path)
  }
}

async function listenOnce(server: ReturnType<typeof createServer>, path: string): Promise<void> {
  const listening = once(server, 'listening')
  // The file is made inside `listen`: with a umask nobody else can ever connect.
  const umask = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(umask)
  }
  await listening
}

function say(socket: Socket, reply: Reply): void {
  if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`)
}

async function answer(socket: Socket, serve: Serve, signal: AbortSignal): Promise<void> {
  socket.on('error', () => socket.destroy())
  const output: RemoteOutput = {
    line: (line) => say(socket, { line }),
    note: (note) => say(socket, { note }),
    data: (bytes) =>
      say(socket, { data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') }),
  }
  try {
    const request = parseRequest(await firstLine(socket))
    say(socket, { exit: await serve(request, output, signal) })
  } catch (error) {
    for (const line of explain(error)) say(socket, { note: `podfabric: ${line}` })
    say(socket, { exit: exitCodeOf(error) })
  }
  socket.end()
}

async function firstLine(socket: Socket): Promise<string> {
  let length = 0
  socket.on('data', (chunk) => {
    length += chunk.length
    if (length > maxRequest) socket.destroy(new RangeError(`a request of more than ${maxRequest} octets`))
  })
  const lines = createInterface({ input: socket })
  // It passes on what the socket reports, long after the line too: an asker that went away must end nothing else.
  lines.on('error', () => socket.destroy())
  const [line] = await once(lines, 'line')
  return String(line)
}
