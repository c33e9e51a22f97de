import { formatCommand } from './command.ts'
import { type Errno, KernelError } from './error.ts'
import type { Middleware } from './operation.ts'

/**
 * Refuses the `n`-th operation that comes by, counted from 1 over all namespaces, with `code`; it does not
 * reach the kernel. All others pass. One middleware counts once: make a new one for each run.
 * `RangeError` unless `n` is a positive integer.
 */
export function failNth(n: number, code: Errno): Middleware {
  const count = counted(n)
  return async (operation, next) => {
    if (count() !== n) return next()
    return { ok: false, error: new KernelError(code, formatCommand(operation), `injected fault number ${n}`) }
  }
}

/**
 * Holds back the `n`-th operation that comes by, counted from 1 over all namespaces, and every one after it: they do not reach the
 * kernel, and never return. So the kernel is what a process leaves that is killed before that operation. `held` is called at each of
 * them. One middleware counts once: make a new one for each run. `RangeError` unless `n` is a positive integer.
 */
export function haltAt(n: number, held: () => void): Middleware {
  const count = counted(n)
  return (_, next) => {
    if (count() < n) return next()
    held()
    return new Promise(() => {})
  }
}

function counted(n: number): () => number {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`operations are counted from 1, not ${n}`)
  let seen = 0
  return () => ++seen
}
