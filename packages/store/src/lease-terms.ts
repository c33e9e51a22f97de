import type { Clock } from './clock.ts'
import type { LeaseId } from './store.ts'
import { StoreError } from './store-error.ts'

/** Longest time to live, in seconds: etcd's. */
export const maxLeaseSeconds = 9_000_000_000

/** Longest delay that timers of a browser or of Node take; a longer one would fire at once. */
const longestDelayMs = 2 ** 31 - 1

/** Returns a time to live that a lease may have, or throws a RangeError. */
export function parseLeaseSeconds(ttlSeconds: number): number {
  if (Number.isInteger(ttlSeconds) && ttlSeconds >= 1 && ttlSeconds <= maxLeaseSeconds) return ttlSeconds
  throw new RangeError(
    `a lease lives a whole number of seconds from 1 to ${maxLeaseSeconds}, not ${ttlSeconds}`,
  )
}

/** As `Clock.after` with a background timer, for delays that one timer cannot take. */
export function afterLong(clock: Clock, delayMs: number, callback: () => void): Disposable {
  let timer: Disposable
  const step = (left: number): void => {
    const delay = Math.min(left, longestDelayMs)
    const then = () => (left > delay ? step(left - delay) : callback())
    timer = clock.after(delay, then, { background: true })
  }
  step(delayMs)
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() }
}

export function leaseLost(id: LeaseId, why = 'is not there: it ended or never was'): StoreError {
  return new StoreError('STORE_LEASE_LOST', `lease ${id} ${why}: ask for a new one`)
}
