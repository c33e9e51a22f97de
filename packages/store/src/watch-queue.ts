import type { Change, LagReason, WatchEvent } from './store.ts'
import type { StoreError } from './store-error.ts'

/** How a watch begins: with changes already known, or with a snapshot, after saying why if it asked for something else. */
export type Beginning =
  | { readonly changes: readonly WatchEvent[] }
  | { readonly snapshot: true; readonly lag?: LagReason }

/** What a watch needs from its store. */
export interface WatchSource {
  /** Subscribes the watch and says how it begins; throws StoreError. Called once, at the first `next`. */
  begin(watch: WatchQueue): Beginning
  /** What is there now. */
  snapshot(): WatchEvent
  /** The watch has ended; nothing must be pushed any more. */
  end(watch: WatchQueue): void
}

interface Waiter {
  resolve(result: IteratorResult<WatchEvent, undefined>): void
  reject(error: StoreError): void
}

const done: IteratorResult<WatchEvent, undefined> = { done: true, value: undefined }

/**
 * The queue between a store and one consumer. When the consumer lets more than `backlog` events wait, they
 * are dropped for `lag` and one snapshot, taken when it is asked for: memory is bounded and nothing is lost.
 */
export class WatchQueue implements AsyncIterableIterator<WatchEvent, undefined> {
  readonly prefix: string
  readonly #source: WatchSource
  readonly #backlog: number
  readonly #signal: AbortSignal | undefined
  #state: 'new' | 'open' | 'ended' = 'new'
  #queue: WatchEvent[] = []
  #lag: LagReason | undefined
  #snapshotDue = false
  #failure: StoreError | undefined
  #waiters: Waiter[] = []
  readonly #onAbort = () => this.#end()

  constructor(prefix: string, source: WatchSource, backlog: number, signal: AbortSignal | undefined) {
    this.prefix = prefix
    this.#source = source
    this.#backlog = backlog
    this.#signal = signal
  }

  /** Adds the changes of one revision. */
  push(revision: number, changes: readonly Change[]): void {
    if (this.#state !== 'open' || this.#snapshotDue) return
    this.#queue.push({ kind: 'changes', revision, changes })
    if (this.#queue.length > this.#backlog) this.overrun()
    const event = this.#waiters.length > 0 ? this.#take() : undefined
    if (event !== undefined) this.#waiters.shift()?.resolve({ done: false, value: event })
  }

  /** Drops what waits: changes were lost on their way here. The consumer gets `lag` and a snapshot. */
  overrun(): void {
    if (this.#state !== 'open' || this.#snapshotDue) return
    this.#queue = []
    this.#lag = 'overrun'
    this.#snapshotDue = true
    const waiter = this.#waiters.shift()
    if (waiter === undefined) return
    this.#lag = undefined
    waiter.resolve({ done: false, value: { kind: 'lag', reason: 'overrun' } })
  }

  /** Ends the watch with an error, which the consumer gets next, whatever was waiting for it. */
  fail(error: StoreError): void {
    if (this.#state === 'ended') return
    const [first, ...others] = this.#waiters
    this.#waiters = others
    if (first === undefined) this.#failure = error
    else first.reject(error)
    this.#end()
  }

  async next(): Promise<IteratorResult<WatchEvent, undefined>> {
    if (this.#failure !== undefined) {
      const failure = this.#failure
      this.#failure = undefined
      throw failure
    }
    if (this.#state === 'new') this.#begin()
    if (this.#state === 'ended') return done
    const event = this.#take()
    if (event !== undefined) return { done: false, value: event }
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }))
  }

  async return(): Promise<IteratorResult<WatchEvent, undefined>> {
    this.#end()
    return done
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end()
  }

  #begin(): void {
    if (this.#signal?.aborted) {
      this.#end()
      return
    }
    try {
      const beginning = this.#source.begin(this)
      if ('snapshot' in beginning) {
        this.#lag = beginning.lag
        this.#snapshotDue = true
      } else {
        this.#queue.push(...beginning.changes)
      }
      this.#state = 'open'
    } catch (error) {
      this.#state = 'ended'
      throw error
    }
    this.#signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  #take(): WatchEvent | undefined {
    if (this.#lag !== undefined) {
      const reason = this.#lag
      this.#lag = undefined
      return { kind: 'lag', reason }
    }
    if (this.#snapshotDue) {
      // Only then, so that what a store publishes while it takes the snapshot is not sent after it once more.
      const snapshot = this.#source.snapshot()
      this.#snapshotDue = false
      return snapshot
    }
    return this.#queue.shift()
  }

  #end(): void {
    if (this.#state === 'ended') return
    const begun = this.#state === 'open'
    this.#state = 'ended'
    this.#queue = []
    this.#signal?.removeEventListener('abort', this.#onAbort)
    if (begun) this.#source.end(this)
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(done)
  }
}
