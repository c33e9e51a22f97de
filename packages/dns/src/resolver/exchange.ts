import type { Clock, Endpoint, Sockets } from '@podfabric/kernel'
import { DnsError } from '../dns-error.ts'
import { decodeMessage, encodeMessage } from '../message/codec.ts'
import { type Message, type Question, query } from '../message/message.ts'
import { nameKey } from '../message/name.ts'
import { frameMessages, frameReader } from '../server/tcp-frames.ts'

export interface ExchangeOptions {
  readonly sockets: Pick<Sockets, 'udp' | 'connect'>
  readonly clock: Clock
  readonly random: () => number
  /** Milliseconds for each transport. */
  readonly timeout: number
  readonly signal?: AbortSignal | undefined
}

/** The largest UDP answer that is asked for. */
const udpSize = 1232

/**
 * Asks one server one question: over UDP from a port of its own, and again over TCP when the answer was truncated. Messages
 * that are no answer to this question, from this server, are not listened to. `DNS_TIMEOUT`; otherwise what the sockets say.
 */
export async function exchange(
  server: Endpoint,
  question: Question,
  options: ExchangeOptions,
): Promise<Message> {
  const id = Math.floor(options.random() * 0x10000)
  const message = encodeMessage(query(id, question, { udpSize, version: 0, dnssecOk: false, options: [] }))
  const expects = (answer: Message) => isAnswerTo(answer, id, question)
  const answer = await within(server, options, (signal) => overUdp(server, message, expects, options, signal))
  if (!answer.truncated) return answer
  return within(server, options, (signal) => overTcp(server, message, expects, options, signal))
}

async function overUdp(
  server: Endpoint,
  message: Uint8Array,
  expects: (answer: Message) => boolean,
  { sockets }: ExchangeOptions,
  signal: AbortSignal,
): Promise<Message> {
  const socket = await sockets.udp(server.address.includes(':') ? { address: anyIpv6 } : {})
  try {
    await socket.send(message, server)
    for (;;) {
      const { data, from } = await socket.receive({ signal })
      if (from.address !== server.address || from.port !== server.port) continue
      const answer = readable(data)
      if (answer && expects(answer)) return answer
    }
  } finally {
    await socket.close()
  }
}

const anyIpv6 = '::' as Endpoint['address']

async function overTcp(
  server: Endpoint,
  message: Uint8Array,
  expects: (answer: Message) => boolean,
  { sockets }: ExchangeOptions,
  signal: AbortSignal,
): Promise<Message> {
  const connection = await sockets.connect(server, { signal })
  try {
    await connection.write(frameMessages([message]))
    const frames = frameReader()
    for (;;) {
      const chunk = await connection.read({ signal })
      if (!chunk)
        throw new DnsError('DNS_SERVER_FAILED', `${place(server)} closed the connection without an answer`)
      for (const frame of frames.push(chunk)) {
        const answer = readable(frame)
        if (answer && expects(answer)) return answer
      }
    }
  } finally {
    await connection.close()
  }
}

/** Runs `work` until the time is over. */
async function within<T>(
  server: Endpoint,
  { clock, timeout, signal }: ExchangeOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const late = new DnsError('DNS_TIMEOUT', `no answer from ${place(server)} within ${timeout} ms`)
  const stop = () => controller.abort(signal?.reason)
  if (signal?.aborted) throw signal.reason
  signal?.addEventListener('abort', stop, { once: true })
  const timer = clock.after(timeout, () => controller.abort(late))
  try {
    return await work(controller.signal)
  } finally {
    timer[Symbol.dispose]()
    signal?.removeEventListener('abort', stop)
  }
}

function readable(data: Uint8Array): Message | undefined {
  try {
    return decodeMessage(data)
  } catch (error) {
    if (error instanceof DnsError) return undefined
    throw error
  }
}

function isAnswerTo(answer: Message, id: number, question: Question): boolean {
  const [echoed, ...more] = answer.questions
  if (!answer.response || answer.id !== id || more.length > 0) return false
  // A server that could not read the question gives back the header alone.
  if (!echoed) return answer.rcode !== 0
  return nameKey(echoed.name) === nameKey(question.name) && echoed.type === question.type
}

function place({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
