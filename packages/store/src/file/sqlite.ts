import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../store-error.ts'

/**
 * Node's SQLite. Node 22 warns on stderr when it is loaded that it is experimental; a plugin's stderr is read by people
 * and runtimes, so that one warning, and no other, is held back.
 */
export function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning
  const filtered = (warning: string | Error, ...rest: unknown[]): void => {
    if (String(warning).startsWith('SQLite is an experimental feature')) return
    Reflect.apply(emitWarning, process, [warning, ...rest])
  }
  process.emitWarning = filtered
  try {
    const sqlite = process.getBuiltinModule('node:sqlite')
    if (sqlite === undefined)
      throw new StoreError('STORE_UNAVAILABLE', 'this Node has no SQLite: use 22.18 or later')
    return sqlite
  } finally {
    process.emitWarning = emitWarning
  }
}

/** Opens the file of this path, waiting up to `timeoutMs` for a lock that another process holds. */
export function openSqlite(path: string, timeoutMs: number): DatabaseSync {
  return new (loadSqlite().DatabaseSync)(path, { timeout: timeoutMs })
}

/** SQLite's primary result code (sqlite.org/rescode.html) of an error it threw, undefined for any other error. */
export function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number')
    return undefined
  return error.errcode & 0xff
}

export const busy = 5

/** What an error of SQLite means for a caller. Other errors are values that no sound file could have given. */
export function storeErrorOf(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const made = (code: StoreError['code'], advice: string) =>
    new StoreError(code, `${path}: ${reason}: ${advice}`, { cause: error })
  switch (resultCode(error)) {
    case busy:
    case 6:
      return made('STORE_UNAVAILABLE', 'another process holds it; try again')
    case 8:
      return made('STORE_READ_ONLY', 'make it writable; nothing was written')
    case 13:
      return made('STORE_FULL', 'make room on its disk; nothing was written')
    case 10: {
      const extended = error instanceof Error && 'errcode' in error ? error.errcode : 0
      // IOERR_SHMSIZE: no room for the index of the log.
      if (extended === 4874) return made('STORE_FULL', 'make room on its disk; nothing was written')
      return made('STORE_UNAVAILABLE', 'the disk failed; see the kernel log')
    }
    case 14:
      return made('STORE_UNAVAILABLE', 'see that the path and its folder are there and are ours')
    case 11:
    case 26:
    case undefined:
      return made('STORE_DAMAGED', 'open it anew to have it set aside')
    default:
      return made('STORE_UNAVAILABLE', 'it cannot be used')
  }
}
