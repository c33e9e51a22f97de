/**
 * Time as an argument. The simulated kernel's clock is virtual: it stands still while anything is
 * runnable, and jumps to the next timer when nothing is.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch; never goes back. May have a fraction. */
  now(): number
  /**
   * Calls back once, `delay` milliseconds from now, unless the returned handle is disposed first.
   * A `background` timer (a lease's renewal, an ageing sweep) fires when time passes, but is no reason
   * for a virtual clock to let time pass, nor for a process to stay alive. Default: foreground.
   */
  after(delay: number, callback: () => void, options?: { readonly background?: boolean }): Disposable
}

/** Resolves `delay` milliseconds from now; rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, delay: number, options: SleepOptions = {}): Promise<void> {
  const { signal, background = false } = options
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      timer[Symbol.dispose]()
      reject(signal?.reason)
    }
    const timer = clock.after(
      delay,
      () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      },
      { background },
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

export interface SleepOptions {
  readonly signal?: AbortSignal | undefined
  readonly background?: boolean
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
  after(delay, callback, options) {
    const timer = setTimeout(callback, delay)
    if (options?.background && typeof timer === 'object') timer.unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
