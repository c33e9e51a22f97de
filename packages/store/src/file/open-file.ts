import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../store-error.ts'
import { acknowledgedRevision } from './change-signal.ts'
import { formatOf, migrate, migrations } from './format.ts'
import { busy, openSqlite, resultCode, storeErrorOf } from './sqlite.ts'
import { Tables } from './tables.ts'
import { readVersion } from './version.ts'

/** A damaged file was set aside and a fresh one begun. Kept in the fresh one until `recoveryDone`. */
export interface Recovery {
  /** What was found. */
  readonly reason: string
  /** Where the damaged file is now; its log, if any, is beside it with `-wal` added. */
  readonly setAside: string
}

export interface OpenFile {
  readonly db: DatabaseSync
  /** Held, shared, as long as the file is open: whoever replaces the file needs it alone. */
  readonly lock: DatabaseSync
}

const lockTimeoutMs = 2000

/** `full`: every page and record when the file is opened. `reads`: each record when it is read. */
export type FileCheck = 'full' | 'reads'

/** Opens the file, making, upgrading or replacing it first where that is needed; `stamp` names what is set aside. */
export function openFile(
  path: string,
  stamp: string,
  depth: FileCheck,
  onRecovery: (recovery: Recovery) => void,
): OpenFile {
  prepareFolder(path)
  for (;;) {
    const lock = lockFile(`${path}-lock`, 'BEGIN; SELECT count(*) FROM sqlite_schema')
    try {
      const state = inspect(path, depth)
      if ('db' in state) return { db: state.db, lock }
      lock.close()
      replaceAlone(path, stamp, state.reason, onRecovery)
    } catch (error) {
      if (lock.isOpen) lock.close()
      throw storeErrorOf(error, path)
    }
  }
}

/** The open file where it is sound; else why it cannot be used as it is, `old` when it only lacks the newest format. */
function inspect(path: string, depth: FileCheck): { db: DatabaseSync } | { reason: string | undefined } {
  // Before the file is read: whatever was acknowledged by then has to be in it.
  const acknowledged = acknowledgedRevision(`${path}-revision`)
  const db = openSqlite(path, 100)
  try {
    const format = formatOf(db, path)
    if (format === 0 && acknowledged > 0) {
      throw new StoreError('STORE_DAMAGED', `${path} is empty, but revision ${acknowledged} was acknowledged`)
    }
    if (format < migrations.length) {
      db.close()
      return { reason: undefined }
    }
    db.exec('PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304')
    if (depth === 'full') check(db)
    const { revision } = new Tables(db).newest()
    if (revision < acknowledged) {
      throw new StoreError(
        'STORE_DAMAGED',
        `${path} ends at revision ${revision}, but revision ${acknowledged} was acknowledged`,
      )
    }
    return { db }
  } catch (error) {
    db.close()
    const made = storeErrorOf(error, path)
    if (made.code !== 'STORE_DAMAGED') throw made
    return { reason: made.message }
  }
}

/** Pages and tables by SQLite's quick check, every record by its checksum, and that each entry has its record. */
function check(db: DatabaseSync): void {
  const found = db.prepare('PRAGMA quick_check(1)').get()?.quick_check
  if (found !== 'ok') throw new StoreError('STORE_DAMAGED', String(found))
  for (const row of db.prepare('SELECT * FROM version').iterate()) readVersion(row)
  const tables = new Tables(db)
  const entries = tables.list('', -1, '').length
  // Every version that no other came after is some key's entry.
  const current = db
    .prepare('SELECT total(value IS NOT NULL) - total(previous IS NOT NULL AND id > ?) AS n FROM version')
    .get(tables.meta('compactedId'))?.n
  if (current !== entries) {
    throw new StoreError(
      'STORE_DAMAGED',
      `there are ${entries} entries where there should be ${String(current)}`,
    )
  }
}

function replaceAlone(
  path: string,
  stamp: string,
  reason: string | undefined,
  onRecovery: (recovery: Recovery) => void,
): void {
  let alone: DatabaseSync
  try {
    alone = lockFile(`${path}-lock`, 'PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    if (reason === undefined || resultCode(error) !== busy) throw error
    throw new StoreError(
      'STORE_DAMAGED',
      `${reason}; it is in use: stop the processes that use it, then open it anew`,
    )
  }
  try {
    // Somebody else may have done it meanwhile.
    const state = inspect(path, 'full')
    if ('db' in state) return state.db.close()
    let recovery: Recovery | undefined
    if (state.reason !== undefined) {
      recovery = { reason: state.reason, setAside: setAside(path, stamp) }
      createEmpty(path)
    }
    const db = openSqlite(path, 100)
    try {
      db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      migrate(db, path)
      if (recovery !== undefined) begin(db, acknowledgedRevision(`${path}-revision`), recovery)
    } finally {
      db.close()
    }
    if (recovery !== undefined) onRecovery(recovery)
  } finally {
    alone.close()
  }
}

/** Revisions go on where the old file ended, so that none is given twice. */
function begin(db: DatabaseSync, revision: number, recovery: Recovery): void {
  const tables = new Tables(db)
  db.exec('BEGIN IMMEDIATE')
  tables.setMeta('base', revision)
  tables.setMeta('compacted', revision)
  tables.setMeta('recovery', JSON.stringify(recovery))
  db.exec('COMMIT')
}

function setAside(path: string, stamp: string): string {
  let target = `${path}.damaged-${stamp}`
  for (let n = 2; existsSync(target); n++) target = `${path}.damaged-${stamp}-${n}`
  // The log first: a log beside another file than its own would be taken for that file's.
  for (const part of ['-wal', '-shm', '']) {
    if (existsSync(path + part)) renameSync(path + part, target + part)
  }
  return target
}

function lockFile(path: string, statement: string): DatabaseSync {
  createEmpty(path)
  const lock = openSqlite(path, lockTimeoutMs)
  try {
    lock.exec(statement)
    return lock
  } catch (error) {
    lock.close()
    throw error
  }
}

function prepareFolder(path: string): void {
  const folder = dirname(path)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.W_OK)
    createEmpty(path)
  } catch (error) {
    if (error instanceof StoreError) throw error
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const reason = error instanceof Error ? error.message : String(error)
    if (code === 'EROFS')
      throw new StoreError('STORE_READ_ONLY', `${path}: ${reason}: make it writable`, { cause: error })
    if (code === 'ENOSPC')
      throw new StoreError('STORE_FULL', `${path}: ${reason}: make room on its disk`, { cause: error })
    throw new StoreError('STORE_UNAVAILABLE', `${path}: ${reason}: choose another path`, { cause: error })
  }
}

/** Never opens a file that is there: closing any descriptor of it would drop the locks this process holds on it. */
function createEmpty(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return
    throw error
  }
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
