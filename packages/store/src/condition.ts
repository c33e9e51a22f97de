import type { Compare, Entry } from './store.ts'
import { StoreError } from './store-error.ts'
import { parseRevision } from './transaction.ts'

/** Throws STORE_CONFLICT unless the key's entry has the revision asked for; 0 = it is not there. */
export function checkRevision(key: string, entry: Entry | undefined, ifRevision: number | undefined): void {
  if (ifRevision === undefined) return
  parseRevision(ifRevision)
  const revision = entry?.revision ?? 0
  if (revision === ifRevision) return
  const should = ifRevision === 0 ? 'should not exist' : `should be at revision ${ifRevision}`
  const is = revision === 0 ? 'does not exist' : `is at revision ${revision}`
  throw new StoreError('STORE_CONFLICT', `${key} ${should} but ${is}: read it again`)
}

/** Whether a comparison holds for the entry of its key. */
export function holds(compare: Compare, entry: Entry | undefined): boolean {
  if ('revision' in compare) return (entry?.revision ?? 0) === compare.revision
  if ('value' in compare) return entry?.value === compare.value
  return (entry !== undefined) === compare.exists
}
