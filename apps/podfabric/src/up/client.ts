import { createConnection } from 'node:net'
import { createInterface } from 'node:readline'
import { Failure } from '../failure.ts'
import type { Output } from '../output.ts'
import type { Reply, Request } from './message.ts'

export interface AskOptions {
  readonly onData?: (bytes: Uint8Array) => void
  /** Ends the question from this side. */
  readonly signal?: AbortSignal
}

/** Has a command done by the cluster that is up; resolves to its exit code. Fails with the reason `noCluster` when none is. */
export async function ask(
  socketPath: string,
  request: Request,
  output: Output,
  options: AskOptions = {},
): Promise<number> {
  const socket = await connect(socketPath)
  options.signal?.addEventListener('abort', () => socket.destroy(), { once: true })
  socket.write(`${JSON.stringify(request)}\n`)
  for await (const line of createInterface({ input: socket })) {
    const reply: Reply = JSON.parse(line)
    if ('exit' in reply) return reply.exit
    if ('line' in reply) output.line(reply.line)
    else if ('note' in reply) output.note(reply.note)
    else options.onData?.(Buffer.from(reply.data, 'base64'))
  }
  if (options.signal?.aborted) return 0
  throw new Failure('failed', 'the cluster went away before it had answered; see its log')
}

function connect(path: string) {
  return new Promise<ReturnType<typeof createConnection>>((resolve, reject) => {
    const socket = createConnection({ path })
    socket.once('connect', () => {
      socket.off('error', refuse)
      // What breaks later ends the stream of lines, and with it the question.
      socket.on('error', () => socket.destroy())
      resolve(socket)
    })
    const refuse = (cause: Error) =>
      reject(
        new Failure(
          'noCluster',
          `no cluster is up (nothing answers at ${path}); start one: podfabric up -f PATH`,
          { cause },
        ),
      )
    socket.once('error', refuse)
  })
}

/** Whether a cluster is up. */
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
