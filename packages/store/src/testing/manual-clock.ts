import type { Clock } from '../clock.ts'

/** A clock that moves only when it is told to. */
export interface ManualClock extends Clock {
  /**
   * Moves time on by `ms`, firing every timer that falls due, background ones too, at its own moment and in order, with what
   * each sets in motion given the time to come to rest before the next.
   */
  advance(ms: number): Promise<void>
}

interface Timer {
  readonly due: number
  readonly callback: () => void
}

/** A clock that stands at `start`, in milliseconds since the epoch; default 2025-01-01. */
export function manualClock(start = Date.UTC(2025, 0, 1)): ManualClock {
  let now = start
  const timers = new Set<Timer>()

  // A set keeps the order of insertion, so of two timers due together the older fires first.
  const earliest = (until: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.due <= until && (first === undefined || timer.due < first.due)) first = timer
    }
    return first
  }

  return {
    now: () => now,
    after(delayMs, callback) {
      const timer = { due: now + Math.max(0, delayMs), callback }
      timers.add(timer)
      return { [Symbol.dispose]: () => void timers.delete(timer) }
    },
    async advance(ms) {
      const until = now + ms
      await rest()
      for (let timer = earliest(until); timer !== undefined; timer = earliest(until)) {
        timers.delete(timer)
        now = timer.due
        timer.callback()
        await rest()
      }
      now = until
    },
  }
}

/** A turn of the event loop: every promise that can settle without outside help has settled by then. */
function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
