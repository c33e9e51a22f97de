import { KernelError } from '@podfabric/kernel'
import { checked, kernelError, type Label, labelText, negated } from './errno.ts'
import { inNamespace } from './namespace-window.ts'
import type { Syscalls, Watch } from './syscall.ts'

const SOCK_NONBLOCK = 0o4000
const EAGAIN = negated('EAGAIN')

type Direction = 'readable' | 'writable'

interface Waiter {
  readonly wake: () => void
  readonly fail: (reason: unknown) => void
}

/** A socket that does not block, and on which one can wait. It is watched only while somebody waits. */
export class WatchedSocket {
  readonly #sys: Syscalls
  #fd: number
  #watch: Watch | undefined
  readonly #waiters: Record<Direction, Set<Waiter>> = { readable: new Set(), writable: new Set() }

  /** Takes the descriptor over. */
  constructor(sys: Syscalls, fd: number) {
    this.#sys = sys
    this.#fd = fd
  }

  static open(
    sys: Syscalls,
    namespaceFd: number,
    kind: { readonly domain: number; readonly type: number; readonly protocol: number },
    label: Label,
  ): WatchedSocket {
    const { domain, type, protocol } = kind
    const fd = inNamespace(sys, namespaceFd, () =>
      checked(sys.socket(domain, type | SOCK_NONBLOCK, protocol), label),
    )
    return new WatchedSocket(sys, fd)
  }

  /** The descriptor; EBADF once closed. */
  fd(label: Label): number {
    if (this.#fd < 0) throw closed(label)
    return this.#fd
  }

  /**
   * Tries until the call does not answer EAGAIN, waiting in between. Rejects with EBADF once closed, and with
   * the signal's reason when it is aborted; a call that went through is never lost.
   */
  async attempt<T extends object | number>(
    direction: Direction,
    label: Label,
    call: (fd: number) => T | number,
    signal?: AbortSignal | undefined,
  ): Promise<T> {
    for (;;) {
      signal?.throwIfAborted()
      const result = call(this.fd(label))
      if (typeof result !== 'number' || result >= 0) return result as T
      if (result !== EAGAIN) throw kernelError(result, label)
      await this.#ready(direction, label, signal)
    }
  }

  /** Waits for readiness once. */
  async ready(direction: Direction, label: Label, signal?: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    this.fd(label)
    await this.#ready(direction, label, signal)
  }

  #ready(direction: Direction, label: Label, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiters[direction].delete(waiter)
        signal?.removeEventListener('abort', onAbort)
        this.#rewatch()
      }
      const waiter: Waiter = {
        wake: () => {
          leave()
          resolve()
        },
        fail: (reason) => {
          leave()
          reject(reason ?? closed(label))
        },
      }
      const onAbort = () => waiter.fail(signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters[direction].add(waiter)
      this.#rewatch()
    })
  }

  #rewatch(): void {
    const readable = this.#waiters.readable.size > 0
    const writable = this.#waiters.writable.size > 0
    if (this.#fd < 0) return
    if (this.#watch === undefined) {
      if (!readable && !writable) return
      // Whoever was woken finds out by trying; on an error or a hang-up both directions must try.
      this.#watch = this.#sys.watch(this.#fd, () => {
        for (const waiters of Object.values(this.#waiters)) for (const waiter of [...waiters]) waiter.wake()
      })
    }
    this.#watch.want({ readable, writable })
  }

  /** Whoever waits gets EBADF. Does nothing the second time. */
  close(): void {
    const fd = this.#release()
    if (fd >= 0) this.#sys.close(fd)
    this.#failAll()
  }

  /** As `close`, without keeping the thread while the kernel waits for all processors; resolves when it is done. */
  async closeAside(): Promise<void> {
    const fd = this.#release()
    const closed = fd >= 0 ? this.#sys.closeAside(fd) : undefined
    this.#failAll()
    await closed
  }

  /** The descriptor, which is nobody's any more; -1 the second time. */
  #release(): number {
    const fd = this.#fd
    if (fd >= 0) this.#watch?.stop()
    this.#fd = -1
    return fd
  }

  #failAll(): void {
    for (const waiters of Object.values(this.#waiters))
      for (const waiter of [...waiters]) waiter.fail(undefined)
  }
}

function closed(label: Label): KernelError {
  return new KernelError('EBADF', labelText(label), 'the socket is closed')
}
