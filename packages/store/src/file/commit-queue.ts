import type { Clock } from '../clock.ts'
import { StoreError } from '../store-error.ts'

/** A write that waits. `run` is called inside a transaction; what it throws as StoreError is its own outcome. */
interface Job {
  run(): unknown
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** How the queue reaches its file. */
export interface CommitTarget {
  /** Begins a transaction; false when another process writes just now. */
  begin(): boolean
  /** Makes what was done durable. */
  commit(): void
  rollback(): void
  /** What an error means for a caller. */
  errorOf(error: unknown): StoreError
}

const mostAtOnce = 256
const retryMs = 5
const giveUpMs = 10_000

/**
 * Group commit: all writes that were asked for in one turn of the event loop are one transaction of the file, with one
 * sync, and each has its own outcome. A call is answered when what it did is durable.
 */
export class CommitQueue {
  readonly #target: CommitTarget
  readonly #clock: Clock
  #jobs: Job[] = []
  #waiting = false
  #busySince: number | undefined

  constructor(target: CommitTarget, clock: Clock) {
    this.#target = target
    this.#clock = clock
  }

  /** `run` must do all its checks before it changes anything. */
  add<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // The queue hands each job the value of its own `run`.
      this.#jobs.push({ run, resolve: (value) => resolve(value as T), reject })
      this.#schedule()
    })
  }

  /** Writes what waits now; false when another process writes just now and it has to wait. */
  flush(): boolean {
    while (this.#jobs.length > 0) {
      const jobs = this.#jobs.slice(0, mostAtOnce)
      try {
        if (!this.#target.begin()) return false
      } catch (error) {
        this.#jobs.splice(0, jobs.length)
        for (const job of jobs) job.reject(this.#target.errorOf(error))
        continue
      }
      this.#busySince = undefined
      this.#jobs.splice(0, jobs.length)
      this.#write(jobs)
    }
    return true
  }

  /** Refuses everything that still waits. */
  fail(error: StoreError): void {
    for (const job of this.#jobs.splice(0)) job.reject(error)
  }

  #write(jobs: readonly Job[]): void {
    const answers: (() => void)[] = []
    try {
      for (const { run, resolve, reject } of jobs) {
        try {
          const value = run()
          answers.push(() => resolve(value))
        } catch (error) {
          // Its own refusal; anything else may have left half of it behind, so nothing of the batch may stay.
          if (!(error instanceof StoreError)) throw error
          answers.push(() => reject(error))
        }
      }
      this.#target.commit()
    } catch (error) {
      try {
        this.#target.rollback()
      } finally {
        for (const job of jobs) job.reject(this.#target.errorOf(error))
      }
      return
    }
    for (const answer of answers) answer()
  }

  #schedule(): void {
    if (this.#waiting) return
    this.#waiting = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#waiting = false
    if (this.flush()) return
    const now = this.#clock.now()
    this.#busySince ??= now
    if (now - this.#busySince >= giveUpMs) {
      this.#busySince = undefined
      this.fail(
        new StoreError('STORE_UNAVAILABLE', `another process has been writing for ${giveUpMs} ms: try again`),
      )
      return
    }
    this.#waiting = true
    this.#clock.after(retryMs, () => this.#turn())
  }
}
