import type {
  Clock,
  Datagram,
  Endpoint,
  LocalEndpoint,
  Sockets,
  TcpConnection,
  TcpListener,
  UdpSocket,
  WaitOptions,
} from '@podfabric/kernel'
import { ip } from '@podfabric/netaddr'

/** What arrives for someone who may not be waiting yet. */
interface Inbox<T> {
  put(item: T): void
  take(options?: WaitOptions): Promise<T>
  fail(error: Error): void
}

function inbox<T>(): Inbox<T> {
  const items: T[] = []
  const waiting: { resolve(item: T): void; reject(error: unknown): void }[] = []
  let failure: Error | undefined
  return {
    put(item) {
      const first = waiting.shift()
      if (first) first.resolve(item)
      else items.push(item)
    },
    take({ signal } = {}) {
      const item = items.shift()
      if (item !== undefined) return Promise.resolve(item)
      if (failure) return Promise.reject(failure)
      if (signal?.aborted) return Promise.reject(signal.reason)
      return new Promise((resolve, reject) => {
        const waiter = { resolve, reject }
        waiting.push(waiter)
        signal?.addEventListener('abort', () => {
          const index = waiting.indexOf(waiter)
          if (index >= 0) waiting.splice(index, 1)
          reject(signal.reason)
        })
      })
    },
    fail(error) {
      failure = error
      for (const { reject } of waiting.splice(0)) reject(error)
    },
  }
}

class SocketError extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** Hosts whose datagrams and streams reach each other at once. `lose` says which datagrams do not. */
export interface MemoryNetwork {
  host(address: string): Sockets
  lose: (datagram: Datagram) => boolean
  readonly sent: Datagram[]
}

export function memoryNetwork(): MemoryNetwork {
  const udpSockets = new Map<string, Inbox<Datagram>>()
  const listeners = new Map<string, Inbox<TcpConnection>>()
  const key = ({ address, port }: Endpoint) => `${address} ${port}`
  let nextPort = 40_000
  const network: MemoryNetwork = { host, lose: () => false, sent: [] }

  function host(address: string): Sockets {
    const bind = (local: LocalEndpoint = {}): Endpoint => ({
      address: local.address === undefined || local.address === ip('::') ? ip(address) : local.address,
      port: local.port || nextPort++,
    })
    return {
      async udp(wanted): Promise<UdpSocket> {
        const local = bind(wanted)
        if (udpSockets.has(key(local))) throw new SocketError('EADDRINUSE')
        const arrived = inbox<Datagram>()
        udpSockets.set(key(local), arrived)
        const close = async () => {
          udpSockets.delete(key(local))
          arrived.fail(new SocketError('EBADF'))
        }
        return {
          local,
          async send(data, to) {
            const datagram = { data: data.slice(), from: local, to }
            network.sent.push(datagram)
            if (!network.lose(datagram)) udpSockets.get(key(to))?.put(datagram)
          },
          receive: arrived.take,
          close,
          [Symbol.asyncDispose]: close,
          async *[Symbol.asyncIterator]() {
            for (;;) yield await arrived.take()
          },
        }
      },
      async listen(wanted): Promise<TcpListener> {
        const local = bind(wanted)
        if (listeners.has(key(local))) throw new SocketError('EADDRINUSE')
        const arrived = inbox<TcpConnection>()
        listeners.set(key(local), arrived)
        const close = async () => {
          listeners.delete(key(local))
          arrived.fail(new SocketError('EBADF'))
        }
        return {
          local,
          accept: arrived.take,
          close,
          [Symbol.asyncDispose]: close,
          async *[Symbol.asyncIterator]() {
            for (;;) yield await arrived.take()
          },
        }
      },
      async connect(remote) {
        const listener = listeners.get(key(remote))
        if (!listener) throw new SocketError('ECONNREFUSED')
        const local = bind()
        const toServer = inbox<Uint8Array | 'end'>()
        const toClient = inbox<Uint8Array | 'end'>()
        listener.put(half(remote, local, toServer, toClient))
        return half(local, remote, toClient, toServer)
      },
      async echo() {
        throw new SocketError('ENETUNREACH')
      },
    }
  }

  return network
}

function half(
  local: Endpoint,
  remote: Endpoint,
  incoming: Inbox<Uint8Array | 'end'>,
  outgoing: Inbox<Uint8Array | 'end'>,
): TcpConnection {
  let ended = false
  const finish = async () => {
    if (!ended) outgoing.put('end')
    ended = true
  }
  const reset = async () => {
    ended = true
    outgoing.fail(new SocketError('ECONNRESET'))
    incoming.fail(new SocketError('ECONNRESET'))
  }
  const read = async (options?: WaitOptions) => {
    const chunk = await incoming.take(options)
    return chunk === 'end' ? undefined : chunk
  }
  return {
    local,
    remote,
    read,
    async write(data) {
      if (ended) throw new SocketError('EPIPE')
      outgoing.put(data.slice())
    },
    finish,
    close: finish,
    reset,
    [Symbol.asyncDispose]: finish,
    async *[Symbol.asyncIterator]() {
      for (let chunk = await read(); chunk; chunk = await read()) yield chunk
    },
  }
}

/** A clock that stands still until it is moved. */
export interface HandClock extends Clock {
  /** Moves to the next timer and calls it; false when there is none. */
  step(): boolean
  advance(milliseconds: number): void
}

export function handClock(): HandClock {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>()
  const next = () => [...timers].sort((a, b) => a.at - b.at)[0]
  function fire(limit: number): boolean {
    const timer = next()
    if (!timer || timer.at > limit) return false
    timers.delete(timer)
    now = timer.at
    timer.callback()
    return true
  }
  return {
    now: () => now,
    after(delay, callback) {
      const timer = { at: now + delay, callback }
      timers.add(timer)
      return { [Symbol.dispose]: () => void timers.delete(timer) }
    },
    step: () => fire(Number.POSITIVE_INFINITY),
    advance(milliseconds) {
      const end = now + milliseconds
      while (fire(end)) {
        // Every timer that is due.
      }
      now = end
    },
  }
}
