import type { Clock } from '@podfabric/kernel'

/** A timer that is set again often: moving it to later costs nothing until it would have fired. */
export class TcpTimer {
  #clock: Clock
  #expired: () => void
  #handle: Disposable | undefined
  #background = false
  /** When the clock's timer fires; when it is meant to. */
  #fires = 0
  #due = -1

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock
    this.#expired = expired
  }

  get armed(): boolean {
    return this.#due >= 0
  }

  set(delay: number, background = false): void {
    this.#due = this.#clock.now() + delay
    const usable = this.#handle !== undefined && this.#background === background && this.#fires <= this.#due
    if (!usable) this.#start(delay, background)
  }

  cancel(): void {
    this.#due = -1
    this.#handle?.[Symbol.dispose]()
    this.#handle = undefined
  }

  #start(delay: number, background: boolean): void {
    this.#handle?.[Symbol.dispose]()
    this.#background = background
    this.#fires = this.#clock.now() + delay
    this.#handle = this.#clock.after(delay, () => this.#fire(), { background })
  }

  #fire(): void {
    this.#handle = undefined
    if (this.#due < 0) return
    const left = this.#due - this.#clock.now()
    if (left >= 0.001) return this.#start(left, this.#background)
    this.#due = -1
    this.#expired()
  }
}
