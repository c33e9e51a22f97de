import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import type { ExecOutcome } from '@podfabric/cni'
import {
  type AgentCall,
  agentCallLength,
  failedOutcome,
  formatAgentAnswer,
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

/** Serves one call; the signal is aborted when its caller has given it up. */
export type Serve = (call: AgentCall, options: { readonly signal: AbortSignal }) => Promise<ExecOutcome>

/**
 * Listens for plugin executables at a Unix socket that its owner alone may use (0600), in a folder that is made for its owner
 * alone (0700) where it is missing. A socket file that nobody listens at is replaced; EADDRINUSE where somebody does, and
 * where something else than a socket is there.
 */
export async function listen(path: string, serve: Serve, options: ListenOptions = {}): Promise<AgentSocket> {
  const { patience = 30_000 } = options
  /** Connections whose call has not arrived yet. */
  const arriving = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    arriving.add(socket)
    socket.setTimeout(patience, () => socket.destroy())
    // The executable may have been killed: then its call is given up, and seen through to that end.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => arriving.delete(socket))
    answer(socket, async (call, given) => {
      arriving.delete(socket)
      socket.setTimeout(0)
      return serve(call, given)
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

async function answer(socket: Socket, serve: Serve): Promise<void> {
  const gone = new AbortController()
  const outcome = await read(socket, gone)
    .then(parseAgentCall)
    .then((call) => serve(call, { signal: gone.signal }))
    .catch((error) => failedOutcome(error))
  if (socket.destroyed) return
  // What is left of a call that was refused is read past, so that the answer reaches whoever is still writing.
  socket.end(formatAgentAnswer(outcome))
}

/** The octets of the call; from then on, or when it breaks off before, the end of the stream aborts `gone`. */
function read(socket: Socket, gone: AbortController): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = []
    let length = 0
    let arrived = false
    socket.on('data', (piece: Uint8Array) => {
      if (arrived) return
      pieces.push(piece)
      length += piece.length
      try {
        const announced = agentCallLength(length > 4096 ? header(pieces) : Buffer.concat(pieces))
        if (announced === undefined || length < announced) return
        arrived = true
        resolve(Buffer.concat(pieces))
      } catch (error) {
        arrived = true
        reject(error)
      }
    })
    const ended = () => {
      gone.abort()
      // What breaks off is answered for too: perhaps somebody still listens.
      if (!arrived) resolve(Buffer.concat(pieces))
      arrived = true
    }
    socket.on('end', ended)
    socket.on('close', ended)
  })
}

/** Enough of the beginning, without joining all that has come. */
function header(pieces: readonly Uint8Array[]): Uint8Array {
  const beginning: Uint8Array[] = []
  for (let i = 0, length = 0; length < 16 && i < pieces.length; i++) {
    const piece = pieces[i] ?? new Uint8Array()
    beginning.push(piece)
    length += piece.length
  }
  return Buffer.concat(beginning)
}
