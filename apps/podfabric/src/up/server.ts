import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { exitCodeOf, explain } from '../failure.ts'
import type { Output } from '../output.ts'
import { parseRequest, type Reply, type Request } from './message.ts'

/** Where a command that runs in the cluster's process writes to; also octets. */
export interface RemoteOutput extends Output {
  data(bytes: Uint8Array): void
}

export type Serve = (request: Request, output: RemoteOutput, signal: AbortSignal) => Promise<number>

export interface CommandServer {
  close(): Promise<void>
}

/** Longest request, in characters. */
const maxRequest = 1_000_000

/** Listens at a Unix socket that its owner alone may use. Commands run one after the other; `signal` is aborted when the asker goes away. */
export async function commandServer(path: string, serve: Serve): Promise<CommandServer> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    answer(socket, serve).catch(() => socket.destroy())
  })
  const umask = process.umask(0o177)
  try {
    server.listen(path)
    await once(server, 'listening')
  } finally {
    process.umask(umask)
  }
  return {
    async close() {
      server.close()
      for (const socket of open) socket.end()
      await once(server, 'close')
    },
  }
}

async function answer(socket: Socket, serve: Serve): Promise<void> {
  const gone = new AbortController()
  socket.on('close', () => gone.abort(new Error('the asker went away')))
  socket.on('error', () => socket.destroy())
  const say = (reply: Reply) => {
    if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`)
  }
  const output: RemoteOutput = {
    line: (line) => say({ line }),
    note: (note) => say({ note }),
    data: (bytes) =>
      say({ data: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') }),
  }
  try {
    const request = parseRequest(await firstLine(socket))
    say({ exit: await serve(request, output, gone.signal) })
  } catch (error) {
    for (const line of explain(error)) say({ note: line })
    say({ exit: exitCodeOf(error) })
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
