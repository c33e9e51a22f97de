import { createConnection, type Socket } from 'node:net'
import { Failure } from '../failure.ts'
import type { Output } from '../output.ts'
import { parseReply, type Request } from './message.ts'

export interface AskOptions {
  readonly onData?: (bytes: Uint8Array) => void
  /** Ends the question from this side; `ask` resolves to 0 then. */
  readonly signal?: AbortSignal
}

/** Has a command done by the cluster that is up; resolves to its exit code. Fails with the reason `noCluster` when none is. */
export async function ask(
  socketPath: string,
  request: Request,
  output: Output,
  options: AskOptions = {},
): Promise<number> {
  const { signal } = options
  const socket = await connect(socketPath)
  const leave = () => socket.destroy()
  signal?.addEventListener('abort', leave, { once: true })
  if (signal?.aborted) leave()
  try {
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const line of lines(socket)) {
      const reply = parseReply(JSON.parse(line))
      if ('exit' in reply) return reply.exit
      if ('line' in reply) output.line(reply.line)
      else if ('note' in reply) output.note(reply.note)
      else options.onData?.(Buffer.from(reply.data, 'base64'))
    }
  } finally {
    signal?.removeEventListener('abort', leave)
    socket.destroy()
  }
  if (signal?.aborted) return 0
  throw new Failure('failed', 'the cluster went away before it had answered; see its log')
}

/** Whole lines until the socket closes, for whatever reason. */
async function* lines(socket: Socket): AsyncGenerator<string> {
  let rest = ''
  socket.setEncoding('utf8')
  try {
    for await (const piece of socket) {
      const [first = '', ...more] = String(piece).split('\n')
      rest += first
      for (const next of more) {
        yield rest
        rest = next
      }
    }
  } catch (error) {
    if (!socket.destroyed) throw error
  }
}

function connect(path: string) {
  return new Promise<Socket>((resolve, reject) => {
    const socket = createConnection({ path })
    socket.once('connect', () => {
      socket.off('error', refuse)
      // What breaks later ends the stream of lines, and with it the question.
      socket.on('error', () => socket.destroy())
      resolve(socket)
    })
    const refuse = (cause: NodeJS.ErrnoException) => {
      const message =
        cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED'
          ? `no cluster is up (nothing answers at ${path}); start one: podfabric up -f PATH`
          : `the cluster at ${path} cannot be asked: ${cause.message}`
      reject(new Failure('noCluster', message, { cause }))
    }
    socket.once('error', refuse)
  })
}

/** Whether a cluster is up, or on its way. */
export async function isUp(path: string): Promise<boolean> {
  try {
    const socket = await connect(path)
    socket.destroy()
    return true
  } catch (error) {
    if (error instanceof Failure) return false
    throw error
  }
}
