import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../store-error.ts'

/** Marks a SQLite file as ours: "pfst". */
export const applicationId = 0x7066_7374

/** Each brings a file from the format of its place to the next one; the first makes an empty file a store. */
export const migrations: readonly ((db: DatabaseSync) => void)[] = [
  (db) =>
    db.exec(`
      PRAGMA application_id = ${applicationId};
      CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE lease (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL, expires INTEGER NOT NULL) WITHOUT ROWID;
      CREATE INDEX lease_expires ON lease (expires);
      CREATE TABLE version (
        id INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key TEXT NOT NULL, value, created INTEGER NOT NULL,
        lease TEXT, previous INTEGER, sum INTEGER NOT NULL);
      CREATE TABLE entry (key TEXT PRIMARY KEY, id INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
      CREATE INDEX entry_lease ON entry (lease, key) WHERE lease IS NOT NULL;
    `),
]

/** The format that a file has, 0 for an empty one. Throws STORE_FORMAT for another program's or a newer one. */
export function formatOf(db: DatabaseSync, path: string, newest: number = migrations.length): number {
  const format = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  const application = Number(db.prepare('PRAGMA application_id').get()?.application_id)
  if (format > newest && application === applicationId) {
    throw new StoreError(
      'STORE_FORMAT',
      `${path} has format ${format}, newer than ${newest}: use a newer podfabric`,
    )
  }
  const empty = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.n === 0
  if (empty && format === 0) return 0
  if (application !== applicationId) {
    throw new StoreError('STORE_FORMAT', `${path} is the database of another program: choose another path`)
  }
  return format
}

/** Brings the file to the newest format, all or nothing. Nobody else may have it open. */
export function migrate(db: DatabaseSync, path: string, steps = migrations): void {
  const from = formatOf(db, path, steps.length)
  db.exec('BEGIN IMMEDIATE')
  try {
    for (const step of steps.slice(from)) step(db)
    db.exec(`PRAGMA user_version = ${steps.length}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
