import { type Endpoint, KernelError, type TcpConnection, type WaitOptions } from '@podfabric/kernel'
import type { TcpControlBlock, TcpObserver } from './tcp-control-block.ts'

interface Reader {
  readonly wake: () => void
  readonly fail: (error: unknown) => void
}

interface Writer {
  readonly data: Uint8Array
  written: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A connection as its user has it: reads and writes that wait, over one control block. */
export class TcpSocket implements TcpConnection, TcpObserver {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly #block: TcpControlBlock
  readonly #readers: Reader[] = []
  readonly #writers: Writer[] = []
  #finishing = false
  #closed = false
  readonly #finished: (() => void)[] = []

  constructor(block: TcpControlBlock) {
    this.#block = block
    this.local = { address: block.flow.source, port: block.localPort }
    this.remote = { address: block.flow.destination, port: block.remotePort }
    block.observer = this
  }

  async read(options: WaitOptions = {}): Promise<Uint8Array | undefined> {
    const { signal } = options
    const { receiver } = this.#block
    for (;;) {
      signal?.throwIfAborted()
      if (this.#closed) throw this.#closedError('read')
      if (receiver.readable > 0) return this.#take()
      if (receiver.ended) return undefined
      if (this.#block.failure !== undefined) throw this.#block.failure
      await this.#arrival(signal)
    }
  }

  #take(): Uint8Array {
    const { receiver, sender, state } = this.#block
    const octets = receiver.take()
    if (state !== 'closed' && receiver.windowOpened(sender.segment)) this.#block.acknowledge()
    return octets
  }

  #arrival(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const index = this.#readers.indexOf(reader)
        if (index >= 0) this.#readers.splice(index, 1)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        leave()
        reject(signal?.reason)
      }
      const reader: Reader = {
        wake: () => {
          leave()
          resolve()
        },
        fail: (error) => {
          leave()
          reject(error)
        },
      }
      this.#readers.push(reader)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** The octets are kept by reference until the promise resolves. */
  async write(data: Uint8Array): Promise<void> {
    if (this.#closed) throw this.#closedError('write')
    if (this.#block.failure !== undefined) throw this.#block.failure
    if (this.#finishing) throw this.#block.error('EPIPE', 'this side has finished')
    if (data.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#writers.push({ data, written: 0, resolve, reject })
      this.writable()
    })
  }

  async finish(): Promise<void> {
    if (this.#closed) throw this.#closedError('finish')
    if (this.#block.failure !== undefined) throw this.#block.failure
    this.#finishing = true
    this.writable()
    if (this.#writers.length > 0) await new Promise<void>((resolve) => this.#finished.push(resolve))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#failReaders(this.#closedError('read'))
    const block = this.#block
    if (block.state === 'closed') {
      block.receiver.clear()
    } else if (block.receiver.readable > 0) {
      block.orphaned = true
      block.abort()
      this.#failWriters(this.#closedError('write'))
    } else {
      this.#finishing = true
      block.orphan()
      this.writable()
    }
  }

  async reset(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#block.orphaned = true
    this.#block.abort()
    this.#failReaders(this.#closedError('read'))
    this.#failWriters(this.#closedError('write'))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (let octets = await this.read(); octets !== undefined; octets = await this.read()) yield octets
  }

  established(): void {}

  readable(): void {
    for (const reader of [...this.#readers]) reader.wake()
  }

  writable(): void {
    const { ring } = this.#block.sender
    let moved = false
    while (this.#writers.length > 0 && ring.space > 0) {
      const writer = this.#writers[0] as Writer
      const octets = Math.min(writer.data.length - writer.written, ring.space)
      ring.append(writer.data, writer.written, writer.written + octets)
      writer.written += octets
      moved = true
      if (writer.written < writer.data.length) break
      this.#writers.shift()
      writer.resolve()
    }
    if (this.#writers.length === 0 && this.#finishing) {
      for (const resolve of this.#finished.splice(0)) resolve()
      this.#block.finish()
    }
    if (moved) this.#block.schedule()
  }

  failed(error: KernelError): void {
    this.#failReaders(error)
    this.#failWriters(error)
  }

  #failReaders(error: KernelError): void {
    for (const reader of [...this.#readers]) reader.fail(error)
  }

  /** Those who wait for `finish` learn it from their writes. */
  #failWriters(error: KernelError): void {
    for (const writer of this.#writers.splice(0)) writer.reject(error)
    for (const resolve of this.#finished.splice(0)) resolve()
  }

  #closedError(what: string): KernelError {
    return new KernelError('EBADF', `tcp ${what}`, 'the connection is closed')
  }
}
