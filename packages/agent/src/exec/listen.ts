import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { CniError, type ExecOutcome } from '@podfabric/cni'
import { decodeStdin } from '@podfabric/cni/skel'
import {
  type AgentCall,
  failedOutcome,
  formatAgentAnswer,
  maxCallLength,
  parseAgentCall,
} from '../protocol.ts'

export interface AgentSocket extends AsyncDisposable {
  readonly path: string
  /** Takes no further calls, sees those under way through, and takes the socket file away. */
  close(): Promise<void>
}

export interface ListenOptions {
  /** Milliseconds that a call may take to arrive, silence included. Default 30,000. */
  readonly patience?: number
}

/**
 * Listens for plugin executables at a Unix socket that its owner alone may use (0600), in a folder that is made for its owner
 * alone (0700) where it is missing. A socket file that nobody listens at is replaced; EADDRINUSE where somebody does, and
 * where something else than a socket is there.
 */
export async function listen(
  path: string,
  serve: (call: AgentCall) => Promise<ExecOutcome>,
  options: ListenOptions = {},
): Promise<AgentSocket> {
  const { patience = 30_000 } = options
  /** Connections whose call has not arrived yet. */
  const arriving = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    arriving.add(socket)
    socket.setTimeout(patience, () => socket.destroy())
    // The executable may have been killed; its call is seen through all the same.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => arriving.delete(socket))
    answer(socket, async (call) => {
      arriving.delete(socket)
      socket.setTimeout(0)
      return serve(call)
    }).catch(() => socket.destroy())
  })
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await bind(server, path)
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= new Promise<void>((resolve, reject) => {
      server.close((error) => (error ? reject(error) : resolve()))
      for (const socket of arriving) socket.destroy()
    })
    return closing
  }
  return { path, close, [Symbol.asyncDispose]: close }
}

async function bind(server: Server, path: string): Promise<void> {
  try {
    await bindOnce(server, path)
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE' || !(await isStale(path))) throw error
    await unlink(path)
    await bindOnce(server, path)
  }
  await chmod(path, 0o600)
}

/** The file is made inside `listen`, before it returns: with a umask, for until `chmod` anybody could connect. */
function bindOnce(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const umask = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    } finally {
      process.umask(umask)
    }
  })
}

/** Whether it is a socket that nobody listens at. */
async function isStale(path: string): Promise<boolean> {
  if (!(await lstat(path)).isSocket()) return false
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', (error) => resolve(codeOf(error) === 'ECONNREFUSED'))
  })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

async function answer(socket: Socket, serve: (call: AgentCall) => Promise<ExecOutcome>): Promise<void> {
  const outcome = await read(socket)
    .then(parseAgentCall)
    .then(serve)
    .catch((error) => failedOutcome(error))
  socket.end(formatAgentAnswer(outcome))
}

/** All that comes until the other side has finished; of too much the rest is read past, for an answer reaches no writer. */
async function read(socket: Socket): Promise<string> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    length += piece.length
    if (length > maxCallLength) pieces.length = 0
    else pieces.push(piece)
  }
  if (length > maxCallLength) {
    throw new CniError('CNI_DECODING_FAILURE', `a call of more than ${maxCallLength} octets`)
  }
  return decodeStdin(Buffer.concat(pieces), maxCallLength)
}
