import { parseKey } from './key.ts'
import type { ListOptions } from './store.ts'

/** Where a list begins and how much it returns, checked: a limit below 1 is a RangeError, `after` a key. */
export function parseListOptions({ limit = Number.POSITIVE_INFINITY, after }: ListOptions): {
  readonly limit: number
  readonly after: string | undefined
} {
  if (!(limit >= 1)) throw new RangeError(`limit is at least 1, not ${limit}`)
  return { limit, after: after === undefined ? undefined : parseKey(after) }
}
