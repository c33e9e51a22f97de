import type { Clock } from '@podfabric/kernel'
import { CaseFailure } from '../failure.ts'

/** Awaits something that must come within `limit` milliseconds of the clock; what does not fails the case. */
export async function within<T>(
  clock: Clock,
  what: string,
  limit: number,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController()
  const timer = clock.after(limit, () =>
    deadline.abort(new CaseFailure(`${what} within ${limit} ms`, 'it did not come')),
  )
  try {
    return await wait(deadline.signal)
  } finally {
    timer[Symbol.dispose]()
  }
}
