import type { Change } from '@podfabric/kernel'
import { PromiseQueue } from './promise-queue.ts'

/** So many changes wait for a reader; more are lost, and it is told so once. */
const LIMIT = 1024

/** Readers of one namespace's changes. */
export class ChangeStreams {
  readonly #queues = new Set<PromiseQueue<Change>>()
  readonly #overrun = new WeakSet<PromiseQueue<Change>>()

  get size(): number {
    return this.#queues.size
  }

  push(change: Change): void {
    for (const queue of this.#queues) {
      if (this.#overrun.has(queue)) {
        if (queue.size > 0) continue
        this.#overrun.delete(queue)
      }
      if (queue.push(change)) continue
      queue.clear()
      queue.push({ table: 'overrun' })
      this.#overrun.add(queue)
    }
  }

  /** Changes from now on, until the signal is aborted or the reader stops. */
  open(signal: AbortSignal | undefined): AsyncIterable<Change> {
    const queue = new PromiseQueue<Change>(LIMIT)
    const close = async (): Promise<void> => {
      this.#queues.delete(queue)
      signal?.removeEventListener('abort', onAbort)
      queue.end()
    }
    const onAbort = (): void => {
      queue.clear()
      void close()
    }
    if (signal?.aborted) queue.end()
    else {
      this.#queues.add(queue)
      signal?.addEventListener('abort', onAbort, { once: true })
    }
    return { [Symbol.asyncIterator]: () => queue.iterate(close) }
  }

  end(): void {
    for (const queue of this.#queues) queue.end()
    this.#queues.clear()
  }
}
