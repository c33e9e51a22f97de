import type { Clock } from './clock.ts'
import type { Lease, LeaseId } from './store.ts'
import { StoreError } from './store-error.ts'

/** Longest time to live, in seconds: etcd's. */
export const maxLeaseSeconds = 9_000_000_000

/** Longest delay that timers of a browser or of Node take; a longer one would fire at once. */
const longestDelayMs = 2 ** 31 - 1

interface State {
  readonly lease: Lease
  readonly keys: Set<string>
  readonly lost: AbortController
  timer: Disposable
}

/** The leases of one memory store, and which keys hang on them. */
export class MemoryLeases {
  readonly #clock: Clock
  readonly #withdraw: (keys: readonly string[]) => void
  readonly #states = new Map<LeaseId, State>()
  #granted = 0
  #closed: StoreError | undefined

  /** `withdraw` deletes the keys of a lease that has ended, given in ascending order. */
  constructor(clock: Clock, withdraw: (keys: readonly string[]) => void) {
    this.#clock = clock
    this.#withdraw = withdraw
  }

  grant(ttlSeconds: number): Lease {
    if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1 || ttlSeconds > maxLeaseSeconds) {
      throw new RangeError(
        `a lease lives a whole number of seconds from 1 to ${maxLeaseSeconds}, not ${ttlSeconds}`,
      )
    }
    const id = (++this.#granted).toString(16).padStart(16, '0')
    const lost = new AbortController()
    const lease: Lease = {
      id,
      ttlSeconds,
      lost: lost.signal,
      keepAlive: async () => this.#keepAlive(id),
      revoke: async () => this.#revoke(id),
    }
    this.#states.set(id, { lease, keys: new Set(), lost, timer: this.#arm(id, ttlSeconds * 1000) })
    return lease
  }

  /** Throws STORE_LEASE_LOST when there is no such lease. */
  require(id: LeaseId): void {
    if (!this.#states.has(id)) throw lost(id)
  }

  attach(id: LeaseId, key: string): void {
    this.#states.get(id)?.keys.add(key)
  }

  detach(id: LeaseId, key: string): void {
    this.#states.get(id)?.keys.delete(key)
  }

  /** Ends all of them for their holders; deletes no key. */
  close(error: StoreError): void {
    this.#closed = error
    for (const state of this.#states.values()) {
      state.timer[Symbol.dispose]()
      state.lost.abort(error)
    }
    this.#states.clear()
  }

  #keepAlive(id: LeaseId): void {
    if (this.#closed !== undefined) throw this.#closed
    const state = this.#states.get(id)
    if (state === undefined) throw lost(id)
    state.timer[Symbol.dispose]()
    state.timer = this.#arm(id, state.lease.ttlSeconds * 1000)
  }

  #revoke(id: LeaseId): void {
    if (this.#closed !== undefined) throw this.#closed
    this.#end(id, 'was revoked')
  }

  #end(id: LeaseId, why: string): void {
    const state = this.#states.get(id)
    if (state === undefined) return
    this.#states.delete(id)
    state.timer[Symbol.dispose]()
    this.#withdraw([...state.keys].sort())
    state.lost.abort(lost(id, why))
  }

  #arm(id: LeaseId, delayMs: number): Disposable {
    let timer: Disposable
    const step = (left: number): void => {
      const delay = Math.min(left, longestDelayMs)
      const then = () => (left > delay ? step(left - delay) : this.#end(id, 'was not renewed in time'))
      timer = this.#clock.after(delay, then, { background: true })
    }
    step(delayMs)
    return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
  }
}

function lost(id: LeaseId, why = 'is not there: it ended or never was'): StoreError {
  return new StoreError('STORE_LEASE_LOST', `lease ${id} ${why}: ask for a new one`)
}
