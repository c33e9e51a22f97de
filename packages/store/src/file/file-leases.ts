import type { Clock } from '../clock.ts'
import { afterLong, leaseLost } from '../lease-terms.ts'
import type { LeaseId } from '../store.ts'
import type { StoreError } from '../store-error.ts'

interface Held {
  expires: number
  readonly lost: AbortController
}

/** The leases that this process holds, and the timer for those of all. */
export class FileLeases {
  readonly #clock: Clock
  readonly #onDue: () => void
  readonly #held = new Map<LeaseId, Held>()
  #timer: Disposable | undefined
  #closed: StoreError | undefined

  /** `onDue` ends leases in the file; it is called when the first of them is due. */
  constructor(clock: Clock, onDue: () => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  hold(id: LeaseId, expires: number): AbortSignal {
    const lost = new AbortController()
    if (this.#closed !== undefined) lost.abort(this.#closed)
    else this.#held.set(id, { expires, lost })
    return lost.signal
  }

  renewed(id: LeaseId, expires: number): void {
    const held = this.#held.get(id)
    if (held !== undefined) held.expires = expires
  }

  lose(id: LeaseId, why: string): void {
    const held = this.#held.get(id)
    this.#held.delete(id)
    held?.lost.abort(leaseLost(id, why))
  }

  /** Tells holders whose time is over, and sets the timer for what comes next: `first` in the file, or one held. */
  arm(first: number | undefined): void {
    this.#timer?.[Symbol.dispose]()
    this.#timer = undefined
    if (this.#closed !== undefined) return
    const now = this.#clock.now()
    let next = first ?? Number.POSITIVE_INFINITY
    for (const [id, { expires }] of this.#held) {
      if (expires <= now) this.lose(id, 'was not renewed in time')
      else next = Math.min(next, expires)
    }
    if (next === Number.POSITIVE_INFINITY) return
    // At least a moment: where ending them fails, it is tried again, and not at once.
    this.#timer = afterLong(this.#clock, Math.max(next - now, 1), () => {
      this.arm(undefined)
      this.#onDue()
    })
  }

  close(error: StoreError): void {
    this.#closed = error
    this.#timer?.[Symbol.dispose]()
    for (const { lost } of this.#held.values()) lost.abort(error)
    this.#held.clear()
  }
}
