import { closeSync, type FSWatcher, openSync, readFileSync, watch, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { Clock } from '../clock.ts'

const pollMs = 1000

const line = /^(\d{16}) ([0-9a-f]{8})\n$/

/** The newest revision known to have been acknowledged; 0 where there is no such file or it is damaged. */
export function acknowledgedRevision(path: string): number {
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw error
  }
  const [, digits = '', sum = ''] = line.exec(text) ?? []
  return digits !== '' && Number.parseInt(sum, 16) === crc32(digits) ? Number(digits) : 0
}

/**
 * Tells other processes that something was written: the newest revision, put into a small file which they watch. Where
 * watching files does not work, and for what it misses, there is a poll each second of the clock while listening. The file is
 * written after the data are durable and is not synced itself, so what it says is never ahead of sound data.
 */
export class ChangeSignal {
  readonly #path: string
  readonly #clock: Clock
  readonly #fd: number
  #watcher: FSWatcher | undefined
  #poll: Disposable | undefined

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
    closeSync(openSync(path, 'a', 0o600))
    this.#fd = openSync(path, 'r+')
  }

  send(revision: number): void {
    const digits = String(revision).padStart(16, '0')
    writeSync(this.#fd, `${digits} ${crc32(digits).toString(16).padStart(8, '0')}\n`, 0)
  }

  /** Calls back after each signal, of this process too, and each second; `onFault` says why watching failed. */
  listen(callback: () => void, onFault: (error: unknown) => void): void {
    const poll = (): void => {
      this.#poll = this.#clock.after(
        pollMs,
        () => {
          poll()
          callback()
        },
        { background: true },
      )
    }
    poll()
    try {
      this.#watcher = watch(this.#path, { persistent: false }, callback)
      this.#watcher.on('error', onFault)
    } catch (error) {
      onFault(error)
    }
  }

  quiet(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    this.#poll?.[Symbol.dispose]()
    this.#poll = undefined
  }

  close(): void {
    this.quiet()
    closeSync(this.#fd)
  }
}
