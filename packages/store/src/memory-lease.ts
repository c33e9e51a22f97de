import type { Clock } from './clock.ts'
import { afterLong, leaseLost, parseLeaseSeconds } from './lease-terms.ts'
import type { Lease, LeaseId } from './store.ts'
import type { StoreError } from './store-error.ts'

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
    parseLeaseSeconds(ttlSeconds)
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
    if (!this.#states.has(id)) throw leaseLost(id)
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
    if (state === undefined) throw leaseLost(id)
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
    state.lost.abort(leaseLost(id, why))
  }

  #arm(id: LeaseId, delayMs: number): Disposable {
    return afterLong(this.#clock, delayMs, () => this.#end(id, 'was not renewed in time'))
  }
}
