import { chmod, mkdir, unlink } from 'node:fs/promises'
import { createConnection, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { CniError, type ExecOutcome } from '@podfabric/cni'
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

/**
 * Listens for plugin executables at a Unix socket that its owner alone may use (0600). A socket file that nobody listens at is
 * replaced; EADDRINUSE where somebody does.
 */
export async function listen(
  path: string,
  serve: (call: AgentCall) => Promise<ExecOutcome>,
): Promise<AgentSocket> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    answer(socket, serve).catch((error) => socket.destroy(error instanceof Error ? error : undefined))
  })
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await bind(server, path)
  const close = async () => {
    await new Promise<void>((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())))
  }
  return { path, close, [Symbol.asyncDispose]: close }
}

async function bind(server: Server, path: string): Promise<void> {
  try {
    await bindOnce(server, path)
  } catch (error) {
    if (!isInUse(error) || (await somebodyListens(path))) throw error
    await unlink(path)
    await bindOnce(server, path)
  }
  await chmod(path, 0o600)
}

/** With a umask, for until `chmod` anybody could connect. */
async function bindOnce(server: Server, path: string): Promise<void> {
  const umask = process.umask(0o177)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(path, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } finally {
    process.umask(umask)
  }
}

function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}

function somebodyListens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function answer(socket: Socket, serve: (call: AgentCall) => Promise<ExecOutcome>): Promise<void> {
  // The executable may have been killed; its call is seen through all the same.
  socket.on('error', () => socket.destroy())
  const outcome = await read(socket).then(parseAgentCall).then(serve).catch(failedOutcome)
  socket.end(formatAgentAnswer(outcome))
}

async function read(socket: Socket): Promise<string> {
  socket.setEncoding('utf8')
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += chunk
    if (text.length > maxCallLength) {
      throw new CniError('CNI_DECODING_FAILURE', `a call of more than ${maxCallLength} octets`)
    }
  }
  return text
}
