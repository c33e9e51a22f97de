import type { Clock } from '@podfabric/kernel'
import { type Turn, turns } from './turn.ts'

/**
 * Time that stands still while anything is runnable, and jumps to the next timer when nothing is.
 *
 * While a foreground timer is pending the clock takes turns of the event loop. A turn in which the
 * simulation did something only lets promises settle; after a quiet one the earliest timers fire, the
 * background timers that are due before them too, each at its own time. With only background timers
 * pending, time stands still and the process may end. Real work outside (a file, a child process, a real
 * socket) is not seen by the clock: hold it meanwhile.
 */
export interface VirtualClock extends Clock {
  /** Keeps time from advancing by itself until the handle is disposed. Holds add up. */
  hold(): Disposable
  /** Advances by `milliseconds`, firing everything due on the way in time order and letting promises settle in between. Ignores holds. */
  advance(milliseconds: number): Promise<void>
  /** Says that something happened which may make promises settle: time waits one more turn. */
  touch(): void
}

export interface VirtualClockOptions {
  /** Milliseconds since the Unix epoch. Default 2025-01-01T00:00:00Z. */
  readonly start?: number
}

interface Timer {
  readonly at: number
  readonly order: number
  readonly background: boolean
  readonly callback: () => void
  live: boolean
}

const DEFAULT_START = Date.UTC(2025, 0, 1)

export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  let now = options.start ?? DEFAULT_START
  let order = 0
  let foreground = 0
  let holds = 0
  let advancing = 0
  let active = false
  let turn: Turn | undefined
  const timers: Timer[] = []

  const clock: VirtualClock = {
    now: () => now,

    after(delay, callback, { background = false } = {}) {
      if (!(delay >= 0)) throw new RangeError(`a timer's delay is 0 or more milliseconds, not ${delay}`)
      const timer = { at: now + delay, order: order++, background, callback, live: true }
      push(timers, timer)
      if (!background) foreground++
      active = true
      schedule()
      return { [Symbol.dispose]: () => cancel(timer) }
    },

    hold() {
      let held = true
      holds++
      return {
        [Symbol.dispose]() {
          if (!held) return
          held = false
          holds--
          active = true
          schedule()
        },
      }
    },

    async advance(milliseconds) {
      if (!(milliseconds >= 0))
        throw new RangeError(`time advances by 0 or more milliseconds, not ${milliseconds}`)
      const end = now + milliseconds
      advancing++
      try {
        await turns.settle()
        for (let next = earliest(); next !== undefined && next.at <= end; next = earliest()) {
          fire(next.at)
          await turns.settle()
        }
        now = Math.max(now, end)
      } finally {
        advancing--
        schedule()
      }
    },

    touch() {
      active = true
    },
  }
  return clock

  function schedule(): void {
    if (turn !== undefined || foreground === 0 || holds > 0 || advancing > 0) return
    turn = turns.next(() => {
      turn = undefined
      if (holds > 0 || advancing > 0) return
      if (active) active = false
      else fireEarliest()
      schedule()
    })
  }

  function fireEarliest(): void {
    const next = earliest()
    if (next !== undefined && foreground > 0) fire(next.at)
  }

  /** Fires all timers of one moment. A callback that throws leaves the others pending, to be fired next. */
  function fire(at: number): void {
    now = Math.max(now, at)
    const last = order
    for (let next = earliest(); next !== undefined && next.at <= at && next.order < last; next = earliest()) {
      pop(timers)
      settled(next)
      active = true
      next.callback()
    }
  }

  function cancel(timer: Timer): void {
    if (timer.live) settled(timer)
  }

  function settled(timer: Timer): void {
    timer.live = false
    if (!timer.background) foreground--
  }

  function earliest(): Timer | undefined {
    while (timers[0] !== undefined && !timers[0].live) pop(timers)
    return timers[0]
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Timer[], timer: Timer): void {
  let at = heap.length
  while (at > 0) {
    const parentAt = (at - 1) >> 1
    const parent = heap[parentAt] as Timer
    if (isBefore(parent, timer)) break
    heap[at] = parent
    at = parentAt
  }
  heap[at] = timer
}

function pop(heap: Timer[]): void {
  const last = heap.pop() as Timer
  const { length } = heap
  if (length === 0) return
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= length) break
    if (child + 1 < length && isBefore(heap[child + 1] as Timer, heap[child] as Timer)) child++
    if (isBefore(last, heap[child] as Timer)) break
    heap[at] = heap[child] as Timer
    at = child
  }
  heap[at] = last
}
