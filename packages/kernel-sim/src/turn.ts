/** A turn of the event loop that was asked for. */
export type Turn = object

/** Turns of the event loop, after which all promises that could settle have settled. */
export const turns = {
  /** Calls back in the next turn. */
  next(callback: () => void): Turn {
    if (typeof setImmediate === 'function') return setImmediate(callback)
    const { port1, port2 } = new MessageChannel()
    const onMessage = (): void => {
      port1.close()
      callback()
    }
    port1.addEventListener('message', onMessage, { once: true })
    port1.start()
    port2.postMessage(0)
    return port1
  },

  /** Resolves after two turns: one for promises, one for what they made runnable. */
  async settle(): Promise<void> {
    for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => turns.next(resolve))
  },
}
