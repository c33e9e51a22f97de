import type { WaitOptions } from '@podfabric/kernel'

interface Waiting<T> {
  readonly resolve: (item: T | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Items from a synchronous producer to readers that wait, with a bound. */
export class PromiseQueue<T> {
  readonly #limit: number
  #items: T[] = []
  #head = 0
  readonly #waiting = new Set<Waiting<T>>()
  #ended = false
  #error: Error | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#items.length - this.#head
  }

  /** Whether the item was taken: false where the queue is full or has ended. */
  push(item: T): boolean {
    if (this.#ended) return false
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting)
      waiting.resolve(item)
      return true
    }
    if (this.size >= this.#limit) return false
    this.#items.push(item)
    return true
  }

  /** Drops what is waiting to be read. */
  clear(): T[] {
    const items = this.#items.slice(this.#head)
    this.#items = []
    this.#head = 0
    return items
  }

  /** No more items. Readers get what is there, then undefined. */
  end(): void {
    this.#ended = true
    for (const waiting of this.#waiting) waiting.resolve(undefined)
    this.#waiting.clear()
  }

  /** No more items: what is there is dropped, and every reader gets the error. */
  fail(error: Error): void {
    this.#ended = true
    this.#error = error
    this.clear()
    for (const waiting of this.#waiting) waiting.reject(error)
    this.#waiting.clear()
  }

  /** The next item, or undefined after the last. An aborted wait takes nothing. */
  take({ signal }: WaitOptions = {}): Promise<T | undefined> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#error) return Promise.reject(this.#error)
    if (this.size > 0) return Promise.resolve(this.#shift())
    if (this.#ended) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(waiting)
        reject(signal?.reason)
      }
      const waiting: Waiting<T> = {
        resolve: (item) => {
          signal?.removeEventListener('abort', onAbort)
          resolve(item)
        },
        reject: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      this.#waiting.add(waiting)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  #shift(): T {
    const item = this.#items[this.#head++] as T
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  /** Reads until the end; `onReturn` runs when the reader stops early. */
  iterate(onReturn: () => Promise<void>): AsyncIterator<T> {
    return {
      next: async () => {
        const value = await this.take()
        return value === undefined ? { done: true, value: undefined } : { done: false, value }
      },
      return: async () => {
        await onReturn()
        return { done: true, value: undefined }
      },
    }
  }
}
