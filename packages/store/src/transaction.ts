import { parseKey } from './key.ts'
import type { Operation, Transaction } from './store.ts'
import { StoreError } from './store-error.ts'
import { maxValueLength, parseValue } from './value.ts'

/** Most comparisons in a transaction, and most operations in either branch. */
export const maxOperations = 128

/**
 * Checks what every store must refuse before it does anything: keys and values, the number of operations, a key written
 * twice in one branch, a revision that is none. Throws STORE_INVALID_KEY, _VALUE or _TRANSACTION.
 */
export function parseTransaction(transaction: Transaction): Transaction {
  if (transaction.compare.length > maxOperations) throw tooMany('comparisons', transaction.compare.length)
  for (const compare of transaction.compare) {
    parseKey(compare.key)
    if ('revision' in compare) parseRevision(compare.revision)
  }
  parseBranch(transaction.success)
  if (transaction.failure !== undefined) parseBranch(transaction.failure)
  return transaction
}

/** A revision to compare with: 0 or a positive safe integer. Throws STORE_INVALID_TRANSACTION. */
export function parseRevision(revision: number): number {
  if (!Number.isSafeInteger(revision) || revision < 0) {
    throw invalid(`${revision} is no revision: must be 0 or a positive integer`)
  }
  return revision
}

/** The revision a watch begins with: absent, or a whole number from 1; anything else is a RangeError. */
export function parseFromRevision(revision: number | undefined): void {
  if (revision === undefined || (Number.isSafeInteger(revision) && revision >= 1)) return
  throw new RangeError(`fromRevision is a whole number from 1, not ${revision}`)
}

function parseBranch(operations: readonly Operation[]): void {
  if (operations.length > maxOperations) throw tooMany('operations', operations.length)
  const written = new Set<string>()
  let length = 0
  for (const operation of operations) {
    parseKey(operation.key)
    if (operation.type === 'get') continue
    if (operation.type === 'put') length += parseValue(operation.key, operation.value).length
    if (written.has(operation.key)) throw invalid(`${operation.key} is written twice: write it once`)
    written.add(operation.key)
  }
  if (length > maxValueLength) {
    throw invalid(
      `its values have ${length} characters together: at most ${maxValueLength}; use several transactions`,
    )
  }
}

function tooMany(what: string, count: number): StoreError {
  return invalid(`${count} ${what}: at most ${maxOperations}; use several transactions`)
}

function invalid(reason: string): StoreError {
  return new StoreError('STORE_INVALID_TRANSACTION', `invalid transaction: ${reason}`)
}
