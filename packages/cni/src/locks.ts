/** Work of one key runs one at a time and in order of arrival; of different keys side by side. */
export class KeyedMutex {
  readonly #tails = new Map<string, Promise<unknown>>()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key) ?? Promise.resolve()
    const current = before.then(work, work)
    this.#tails.set(key, current)
    try {
      return await current
    } finally {
      if (this.#tails.get(key) === current) this.#tails.delete(key)
    }
  }
}

/**
 * Shared work runs side by side; exclusive work runs alone, waits for the shared work before it, and holds back what comes
 * after it.
 */
export class SharedLock {
  /** Settles when the exclusive work that was asked for last has ended; undefined when there is none. */
  #gate: Promise<unknown> | undefined
  readonly #running = new Set<Promise<unknown>>()

  async shared<T>(work: () => Promise<T>): Promise<T> {
    // More exclusive work may have been asked for while this one waited.
    while (this.#gate !== undefined) await this.#gate
    const current = work()
    this.#running.add(current)
    try {
      return await current
    } finally {
      this.#running.delete(current)
    }
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#gate ?? Promise.resolve()
    const current = before.then(async () => {
      await Promise.allSettled(this.#running)
      return work()
    })
    const gate = current.then(
      () => undefined,
      () => undefined,
    )
    this.#gate = gate
    try {
      return await current
    } finally {
      if (this.#gate === gate) this.#gate = undefined
    }
  }
}
