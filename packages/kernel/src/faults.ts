import { formatCommand } from './command.ts'
import { type Errno, KernelError } from './error.ts'
import type { Middleware } from './operation.ts'

/**
 * Refuses the `n`-th operation that comes by, counted from 1 over all namespaces, with `code`; it does not
 * reach the kernel. All others pass. One middleware counts once: make a new one for each run.
 * `RangeError` unless `n` is a positive integer.
 */
export function failNth(n: number, code: Errno): Middleware {
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`operations are counted from 1, not ${n}`)
  let seen = 0
  return async (operation, next) => {
    seen += 1
    if (seen !== n) return next()
    return { ok: false, error: new KernelError(code, formatCommand(operation), `injected fault number ${n}`) }
  }
}
