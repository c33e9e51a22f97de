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
  #gate: Promise<unknown> = Promise.resolve()
  readonly #running = new Set<Promise<unknown>>()

  async shared<T>(work: () => Promise<T>): Promise<T> {
    // The gate may move on while this one waits for it.
    for (let gate: Promise<unknown> | undefined; gate !== this.#gate; ) {
      gate = this.#gate
      await gate
    }
    const current = work()
    this.#running.add(current)
    try {
      return await current
    } finally {
      this.#running.delete(current)
    }
  }

  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#gate
    const current = before.then(async () => {
      await Promise.allSettled(this.#running)
      return work()
    })
    this.#gate = current.catch(() => undefined)
    return current
  }
}
