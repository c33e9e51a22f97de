import { type Clock, sleep } from '@podfabric/kernel'

/** Milliseconds before the second attempt. */
export const firstDelay = 1_000

/** Milliseconds between attempts at most. */
export const longestDelay = 60_000

export interface BackOffOptions {
  readonly clock: Clock
  /** Ends it: the wait in between rejects with its reason. */
  readonly signal: AbortSignal
  /** Told of every failed attempt that another follows. */
  readonly onFailure: (error: unknown) => void
}

/**
 * Does something until it succeeds, waiting 1 s after the first failure and twice as long after each further one, up to a
 * minute. Once the signal is aborted it rejects: with what failed last, or with the signal's reason. Its timers are
 * background timers.
 */
export async function backOff<T>(attempt: () => Promise<T>, options: BackOffOptions): Promise<T> {
  const { clock, signal, onFailure } = options
  for (let delay = firstDelay; ; delay = Math.min(2 * delay, longestDelay)) {
    try {
      return await attempt()
    } catch (error) {
      if (signal.aborted) throw error
      onFailure(error)
    }
    await sleep(clock, delay, { signal, background: true })
  }
}
