import { type Errno, formatCommand, KernelError, type Middleware } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'

type Plan =
  | { readonly kind: 'open' }
  /** The `at`-th kernel operation is refused with `code`. */
  | { readonly kind: 'fail'; readonly at: number; readonly code: Errno }
  /** From the `at`-th step on, kernel operations and store writes alike, nothing is done and nothing returns: the process is gone. */
  | { readonly kind: 'kill'; readonly at: number }

/** Stands between a plugin and its kernel and store: counts its steps, makes one of them fail, or ends its life there. */
export class Gate {
  #plan: Plan = { kind: 'open' }
  #steps = 0
  #operations = 0
  #die: () => void = () => undefined
  /** Resolves when the plugin is killed. */
  readonly killed = new Promise<void>((resolve) => {
    this.#die = resolve
  })

  /** Kernel operations since the last plan. */
  get operations(): number {
    return this.#operations
  }

  /** Kernel operations and store writes since the last plan. */
  get steps(): number {
    return this.#steps
  }

  plan(plan: Plan): void {
    this.#plan = plan
    this.#steps = 0
    this.#operations = 0
  }

  readonly middleware: Middleware = async (operation, next) => {
    await this.#step()
    this.#operations += 1
    if (this.#plan.kind === 'fail' && this.#operations === this.#plan.at) {
      const reason = `refused by the suite: it is operation ${this.#operations} of this call`
      return { ok: false, error: new KernelError(this.#plan.code, formatCommand(operation), reason) }
    }
    return next()
  }

  /** The same store; its writes are steps. */
  store(store: Store): Store {
    const stepped =
      <Args extends readonly unknown[], T>(write: (...args: Args) => Promise<T>) =>
      async (...args: Args): Promise<T> => {
        await this.#step()
        return write(...args)
      }
    return {
      get: (key) => store.get(key),
      list: (prefix, options) => store.list(prefix, options),
      watch: (prefix, options) => store.watch(prefix, options),
      put: stepped((key, value, options) => store.put(key, value, options)),
      delete: stepped((key, options) => store.delete(key, options)),
      txn: stepped((transaction) => store.txn(transaction)),
      lease: stepped((ttl) => store.lease(ttl)),
      close: () => store.close(),
    }
  }

  async #step(): Promise<void> {
    this.#steps += 1
    if (this.#plan.kind !== 'kill' || this.#steps < this.#plan.at) return
    this.#die()
    await new Promise<never>(() => undefined)
  }
}
