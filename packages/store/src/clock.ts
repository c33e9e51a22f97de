/** Options of a timer. */
export interface TimerOptions {
  /**
   * A background timer does housekeeping (lease expiry, renewal) and is no reason for a virtual clock to move on:
   * it fires when something else has moved time past it. A real clock treats it as any other timer, but does
   * not keep its process alive for it. Default false.
   */
  readonly background?: boolean
}

/**
 * Time, as it comes in by argument. Structural: any object of this shape will do, real, virtual or stepped by hand.
 *
 * `now` is in milliseconds since the Unix epoch (of the real or of the simulated world). `after` calls back once,
 * never before `delayMs` milliseconds have passed and never from inside `after` itself; disposing of what it returns
 * before then prevents the call.
 */
export interface Clock {
  now(): number
  after(delayMs: number, callback: () => void, options?: TimerOptions): Disposable
}
