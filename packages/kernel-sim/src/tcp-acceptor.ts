import {
  type Endpoint,
  KernelError,
  type TcpConnection,
  type TcpListener,
  type WaitOptions,
} from '@podfabric/kernel'
import { PromiseQueue } from './promise-queue.ts'
import type { TcpControlBlock } from './tcp-control-block.ts'
import { TcpSocket } from './tcp-socket.ts'

/** Connections that wait to be accepted, those in their handshake included, at most. */
const BACKLOG = 511

/** A listening socket. */
export class TcpAcceptor implements TcpListener {
  readonly local: Endpoint
  readonly #closed: (acceptor: TcpAcceptor) => void
  /** Connections in their handshake, and those not yet accepted. */
  readonly #pending = new Set<TcpControlBlock>()
  readonly #ready = new PromiseQueue<TcpControlBlock>(BACKLOG)
  #open = true

  constructor(local: Endpoint, closed: (acceptor: TcpAcceptor) => void) {
    this.local = local
    this.#closed = closed
  }

  get full(): boolean {
    return this.#pending.size >= BACKLOG
  }

  /**
   * A connection whose handshake has begun. When that is over it waits to be accepted, and is handed out even
   * if it was reset meanwhile.
   */
  adopt(block: TcpControlBlock): void {
    let waiting = false
    this.#pending.add(block)
    block.observer = {
      established: () => {
        waiting = true
        this.#ready.push(block)
      },
      readable() {},
      writable() {},
      failed: () => {
        if (!waiting) this.#pending.delete(block)
      },
    }
  }

  async accept(options: WaitOptions = {}): Promise<TcpConnection> {
    const block = await this.#ready.take(options)
    if (block === undefined)
      throw new KernelError('EBADF', `tcp accept ${this.local.port}`, 'the listener is closed')
    this.#pending.delete(block)
    return new TcpSocket(block)
  }

  async close(): Promise<void> {
    if (!this.#open) return
    this.#open = false
    this.#closed(this)
    this.#ready.clear()
    this.#ready.end()
    for (const block of this.#pending) {
      block.orphaned = true
      block.abort()
    }
    this.#pending.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TcpConnection, void, undefined> {
    while (this.#open) {
      const block = await this.#ready.take()
      if (block === undefined) return
      this.#pending.delete(block)
      yield new TcpSocket(block)
    }
  }
}
