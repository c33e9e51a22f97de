import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { leaseLost } from '../lease-terms.ts'
import type { Change, Entry, LeaseId } from '../store.ts'
import { StoreError } from '../store-error.ts'
import { readVersion, sumOf, type Version } from './version.ts'

/** The statements of a store's file. Writes are made inside a transaction that the caller begins and ends. */
export class Tables {
  readonly #db: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync) {
    this.#db = db
  }

  /** The newest revision, and the id of its last version. */
  newest(): { readonly revision: number; readonly id: number } {
    const row = this.#sql('SELECT * FROM version ORDER BY id DESC LIMIT 1').get()
    if (row !== undefined) return readVersion(row)
    return { revision: this.meta('base'), id: 0 }
  }

  meta(name: 'base' | 'compacted' | 'compactedId' | 'leases'): number {
    return Number(this.text(name) ?? 0)
  }

  text(name: string): string | undefined {
    const value = this.#sql('SELECT value FROM meta WHERE name = ?').get(name)?.value
    return typeof value === 'string' ? value : undefined
  }

  setMeta(name: string, value: number | string | undefined): void {
    if (value === undefined) this.#sql('DELETE FROM meta WHERE name = ?').run(name)
    else this.#sql('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(name, String(value))
  }

  get(key: string): Entry | undefined {
    return this.#current(key)?.entry
  }

  /** Entries from `prefix` on, after `after`, at most `limit` (-1: all). */
  list(prefix: string, limit: number, after: string): Entry[] {
    // '0' follows '/', and 0x7f every character of a key: the first text greater than everything under the prefix.
    const end = prefix === '' ? '\x7f' : `${prefix.slice(0, -1)}0`
    const from = after > prefix ? after : prefix
    const rows = this.#sql(
      `SELECT entry.key AS name, version.* FROM entry LEFT JOIN version ON version.id = entry.id
       WHERE entry.key > ? AND entry.key < ? ORDER BY entry.key LIMIT ?`,
    ).all(from, end, limit)
    return rows.map((row) => this.#entryOf(String(row.name), readVersion(row)))
  }

  put(revision: number, key: string, value: string, lease?: LeaseId): Entry {
    if (lease !== undefined) this.requireLease(lease)
    const before = this.#current(key)
    const created = before?.entry?.createRevision ?? revision
    const id = this.#append(revision, key, value, created, lease ?? null, before?.id ?? null)
    this.#sql('INSERT OR REPLACE INTO entry VALUES (?, ?, ?)').run(key, id, lease ?? null)
    const plain = { key, value, createRevision: created, revision }
    return lease === undefined ? plain : { ...plain, lease }
  }

  delete(revision: number, key: string): Entry | undefined {
    const before = this.#current(key)
    if (before === undefined) return undefined
    this.#append(revision, key, null, 0, null, before.id)
    this.#sql('DELETE FROM entry WHERE key = ?').run(key)
    return before.entry
  }

  /** The changes after the version `id`, by revision; of all of them their versions before must still be there. */
  *after(id: number): Generator<{ revision: number; lastId: number; changes: readonly Change[] }> {
    let revision = 0
    let lastId = id
    let changes: Change[] = []
    for (const row of this.#sql('SELECT * FROM version WHERE id > ? ORDER BY id').all(id)) {
      const version = readVersion(row)
      if (version.revision !== revision && changes.length > 0) {
        yield { revision, lastId, changes }
        changes = []
      }
      revision = version.revision
      lastId = version.id
      changes.push(this.#change(version))
    }
    if (changes.length > 0) yield { revision, lastId, changes }
  }

  /** The id of the last version before `revision`. Walks back from the newest. */
  idBefore(revision: number): number {
    const row = this.#sql('SELECT id FROM version WHERE revision < ? ORDER BY id DESC LIMIT 1').get(revision)
    return Number(row?.id ?? 0)
  }

  /** Forgets the changes up to and including `revision`. The newest version stays: it holds the revision. */
  compact(revision: number): void {
    const from = this.meta('compactedId')
    const to = this.idBefore(revision + 1)
    const newest = this.newest().id
    for (const row of this.#sql(
      'SELECT id, value IS NULL AS gone, previous FROM version WHERE id > ? AND id <= ?',
    ).all(from, to)) {
      if (row.previous !== null) this.#sql('DELETE FROM version WHERE id = ?').run(Number(row.previous))
      if (row.gone === 1 && row.id !== newest)
        this.#sql('DELETE FROM version WHERE id = ?').run(Number(row.id))
    }
    this.setMeta('compacted', Math.max(revision, this.meta('compacted')))
    this.setMeta('compactedId', Math.max(from, to))
  }

  grant(ttl: number, expires: number): LeaseId {
    const count = this.meta('leases') + 1
    this.setMeta('leases', count)
    const id = count.toString(16).padStart(16, '0')
    this.#sql('INSERT INTO lease VALUES (?, ?, ?)').run(id, ttl, expires)
    return id
  }

  renew(id: LeaseId, expires: number): void {
    if (this.#sql('UPDATE lease SET expires = ? WHERE id = ?').run(expires, id).changes === 0)
      throw leaseLost(id)
  }

  requireLease(id: LeaseId): void {
    if (this.#sql('SELECT 1 FROM lease WHERE id = ?').get(id) === undefined) throw leaseLost(id)
  }

  /** Removes a lease and deletes its keys, ascending, at `revision`; true when that changed any key. */
  endLease(revision: number, id: LeaseId): boolean {
    this.#sql('DELETE FROM lease WHERE id = ?').run(id)
    const keys = this.#sql('SELECT key FROM entry WHERE lease = ? ORDER BY key').all(id)
    for (const { key } of keys) this.delete(revision, String(key))
    return keys.length > 0
  }

  /** When the first lease ends, in milliseconds since the epoch. */
  nextExpiry(): number | undefined {
    const first = this.#sql('SELECT min(expires) AS first FROM lease').get()?.first
    return typeof first === 'number' ? first : undefined
  }

  dueLeases(now: number): LeaseId[] {
    const rows = this.#sql('SELECT id FROM lease WHERE expires <= ? ORDER BY expires, id').all(now)
    return rows.map(({ id }) => String(id))
  }

  #current(key: string): Version | undefined {
    const row = this.#sql(
      'SELECT version.* FROM entry LEFT JOIN version ON version.id = entry.id WHERE entry.key = ?',
    ).get(key)
    if (row === undefined) return undefined
    const version = readVersion(row)
    this.#entryOf(key, version)
    return version
  }

  #entryOf(key: string, version: Version): Entry {
    if (version.key === key && version.entry !== undefined) return version.entry
    throw new StoreError(
      'STORE_DAMAGED',
      `${key} leads to record ${version.id}, which is not its own: put it again`,
    )
  }

  #change(version: Version): Change {
    const { key, entry } = version
    const row =
      version.previous === undefined
        ? undefined
        : this.#sql('SELECT * FROM version WHERE id = ?').get(version.previous)
    const previous = row === undefined ? undefined : readVersion(row).entry
    if (entry === undefined) {
      if (previous !== undefined) return { type: 'delete', key, previous }
      throw new StoreError(
        'STORE_DAMAGED',
        `what revision ${version.revision} deleted at ${key} is not there`,
      )
    }
    return previous === undefined ? { type: 'put', key, entry } : { type: 'put', key, entry, previous }
  }

  #append(
    revision: number,
    key: string,
    value: string | null,
    created: number,
    lease: string | null,
    previous: number | null,
  ): number {
    const id = this.newest().id + 1
    const sum = sumOf(id, revision, key, value, created, lease, previous)
    const stored = value?.includes('\0') ? new TextEncoder().encode(value) : value
    this.#sql('INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, ?)').run(
      id,
      revision,
      key,
      stored,
      created,
      lease,
      previous,
      sum,
    )
    return id
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text)
    if (statement === undefined) {
      statement = this.#db.prepare(text)
      this.#statements.set(text, statement)
    }
    return statement
  }
}
