/**
 * STORE_CONFLICT: a condition on a revision did not hold; read again and decide again.
 * STORE_LEASE_LOST: the lease named has expired, was revoked or never was.
 * STORE_INVALID_KEY, STORE_INVALID_VALUE, STORE_INVALID_TRANSACTION: refused before anything was changed.
 * STORE_DAMAGED: what is stored is not what should be there; it is left as it is.
 * STORE_UNAVAILABLE: the store cannot be reached; a write under way may or may not have happened.
 * STORE_FULL: no room on the disk; nothing was written.
 * STORE_READ_ONLY: the file or its file system cannot be written; nothing was written.
 * STORE_FORMAT: the file is of a newer format or of another program; it is left as it is.
 * STORE_CLOSED: used after it was closed.
 */
export type StoreErrorCode =
  | 'STORE_CONFLICT'
  | 'STORE_LEASE_LOST'
  | 'STORE_INVALID_KEY'
  | 'STORE_INVALID_VALUE'
  | 'STORE_INVALID_TRANSACTION'
  | 'STORE_DAMAGED'
  | 'STORE_UNAVAILABLE'
  | 'STORE_FULL'
  | 'STORE_READ_ONLY'
  | 'STORE_FORMAT'
  | 'STORE_CLOSED'

/** A store refused or failed. Compare `code`; the message is for people. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
