import type { Clock } from '../clock.ts'
import { checkRevision, holds } from '../condition.ts'
import { parseKey, parsePrefix } from '../key.ts'
import { parseLeaseSeconds } from '../lease-terms.ts'
import { parseListOptions } from '../list-options.ts'
import type {
  DeleteOptions,
  Entry,
  EntryList,
  Lease,
  LeaseId,
  ListOptions,
  Operation,
  OperationResult,
  PutOptions,
  Transaction,
  TransactionResult,
  WatchEvent,
  WatchOptions,
} from '../store.ts'
import { StoreError } from '../store-error.ts'
import { parseFromRevision, parseRevision, parseTransaction } from '../transaction.ts'
import { parseValue } from '../value.ts'
import { type Beginning, WatchQueue } from '../watch-queue.ts'
import { ChangeSignal } from './change-signal.ts'
import { CommitQueue } from './commit-queue.ts'
import { FileLeases } from './file-leases.ts'
import type { FileStore, FileStoreLog, FileStoreOptions } from './file-store-options.ts'
import { Follower } from './follower.ts'
import { type OpenFile, openFile, type Recovery } from './open-file.ts'
import { busy, resultCode, storeErrorOf } from './sqlite.ts'
import { Tables } from './tables.ts'

/** History is forgotten so many revisions at a time. */
const compactionStep = 64
const silent: FileStoreLog = { warn() {}, error() {} }

/**
 * Opens the store, making the file where there is none. Fails with STORE_FORMAT (a newer format, or not ours), STORE_DAMAGED
 * (damaged, and in use by others), STORE_READ_ONLY, STORE_FULL or STORE_UNAVAILABLE. A write is answered when it is
 * durable; writes asked for in one turn of the event loop share one sync. Each of them blocks the event loop.
 */
export async function fileStore(options: FileStoreOptions): Promise<FileStore> {
  const { path, clock, log = silent, history = 4096, check = 'full' } = options
  if (!Number.isInteger(history) || history < 1)
    throw new RangeError(`history is a whole number from 1, not ${history}`)
  const stamp = new Date(clock.now()).toISOString().replace(/[-:]/g, '').replace(/\..*/, 'Z')
  const file = openFile(path, stamp, check, ({ reason, setAside }) =>
    log.error('the store was damaged and set aside; a fresh one was begun', { path, reason, setAside }),
  )
  try {
    return new File(path, file, clock, log, history)
  } catch (error) {
    file.db.close()
    file.lock.close()
    throw storeErrorOf(error, path)
  }
}

class File implements FileStore {
  readonly #path: string
  readonly #file: OpenFile
  readonly #clock: Clock
  readonly #log: FileStoreLog
  readonly #history: number
  readonly #tables: Tables
  readonly #follower: Follower
  readonly #signal: ChangeSignal
  readonly #queue: CommitQueue
  readonly #leases: FileLeases
  #recovered: Recovery | undefined
  /** Inside a transaction, the newest revision. */
  #revision = 0
  #closed: StoreError | undefined

  constructor(path: string, file: OpenFile, clock: Clock, log: FileStoreLog, history: number) {
    this.#path = path
    this.#file = file
    this.#clock = clock
    this.#log = log
    this.#history = history
    this.#tables = new Tables(file.db)
    this.#follower = new Follower(this.#tables)
    const recovery = this.#tables.text('recovery')
    this.#recovered = recovery === undefined ? undefined : JSON.parse(recovery)
    this.#leases = new FileLeases(clock, () => this.#expire())
    this.#signal = new ChangeSignal(`${path}-revision`, clock)
    this.#queue = new CommitQueue(
      {
        begin: () => this.#begin(),
        commit: () => this.#commit(),
        rollback: () => {
          if (file.db.isTransaction) file.db.exec('ROLLBACK')
        },
        errorOf: (error) => storeErrorOf(error, path),
      },
      clock,
    )
    this.#leases.arm(this.#tables.nextExpiry())
  }

  get recovered(): Recovery | undefined {
    return this.#recovered
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#checkOpen()
    parseKey(key)
    return this.#read(() => this.#tables.get(key))
  }

  async list(prefix: string, options: ListOptions = {}): Promise<EntryList> {
    this.#checkOpen()
    parsePrefix(prefix)
    const { limit, after = '' } = parseListOptions(options)
    return this.#read(() => ({
      revision: this.#tables.newest().revision,
      entries: this.#tables.list(prefix, Number.isFinite(limit) ? Math.ceil(limit) : -1, after),
    }))
  }

  async put(key: string, value: string, options: PutOptions = {}): Promise<Entry> {
    this.#checkOpen()
    parseKey(key)
    parseValue(key, value)
    if (options.ifRevision !== undefined) parseRevision(options.ifRevision)
    const { ifRevision, lease } = options
    return this.#queue.add(() => {
      if (ifRevision !== undefined) checkRevision(key, this.#tables.get(key), ifRevision)
      const entry = this.#tables.put(this.#revision + 1, key, value, lease)
      this.#revision++
      return entry
    })
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    this.#checkOpen()
    parseKey(key)
    const { ifRevision } = options
    if (ifRevision !== undefined) parseRevision(ifRevision)
    return this.#queue.add(() => {
      if (ifRevision !== undefined) checkRevision(key, this.#tables.get(key), ifRevision)
      if (this.#tables.delete(this.#revision + 1, key) === undefined) return false
      this.#revision++
      return true
    })
  }

  async txn(transaction: Transaction): Promise<TransactionResult> {
    this.#checkOpen()
    const { compare, success, failure = [] } = structuredClone(parseTransaction(transaction))
    return this.#queue.add(() =>
      this.#wholly(() => {
        const succeeded = compare.every((each) => holds(each, this.#tables.get(each.key)))
        const operations = succeeded ? success : failure
        const revision = this.#revision + 1
        const results = operations.map((operation) => this.#operate(revision, operation))
        if (
          results.some((result) => result.type === 'put' || (result.type === 'delete' && result.previous))
        ) {
          this.#revision = revision
        }
        return { succeeded, revision: this.#revision, results }
      }),
    )
  }

  async lease(ttlSeconds: number): Promise<Lease> {
    this.#checkOpen()
    parseLeaseSeconds(ttlSeconds)
    const { id, expires } = await this.#queue.add(() => {
      const expires = this.#clock.now() + ttlSeconds * 1000
      return { id: this.#tables.grant(ttlSeconds, expires), expires }
    })
    const lost = this.#leases.hold(id, expires)
    if (this.#closed !== undefined) throw this.#closed
    return {
      id,
      ttlSeconds,
      lost,
      keepAlive: () => this.#keepAlive(id, ttlSeconds),
      revoke: () => this.#revoke(id),
    }
  }

  watch(prefix: string, options: WatchOptions = {}): AsyncIterableIterator<WatchEvent> {
    const source = {
      begin: (watch: WatchQueue) => this.#beginWatch(watch, options.fromRevision),
      snapshot: (): WatchEvent =>
        this.#read(() => {
          this.#follower.catchUp()
          return {
            kind: 'snapshot',
            revision: this.#tables.newest().revision,
            entries: this.#tables.list(prefix, -1, ''),
          }
        }),
      end: (watch: WatchQueue) => {
        this.#follower.watches.delete(watch)
        if (this.#follower.watches.empty) this.#signal.quiet()
      },
    }
    return new WatchQueue(prefix, source, this.#history, options.signal)
  }

  async recoveryDone(): Promise<void> {
    this.#checkOpen()
    await this.#queue.add(() => this.#tables.setMeta('recovery', undefined))
    this.#recovered = undefined
  }

  async compact(revision?: number): Promise<void> {
    this.#checkOpen()
    if (revision !== undefined) parseRevision(revision)
    await this.#queue.add(() =>
      this.#wholly(() => this.#tables.compact(Math.min(revision ?? this.#revision, this.#revision))),
    )
  }

  async close(): Promise<void> {
    if (this.#closed !== undefined) return
    const error = new StoreError('STORE_CLOSED', `${this.#path} is closed`)
    this.#queue.flush()
    this.#closed = error
    this.#queue.fail(error)
    this.#leases.close(error)
    this.#follower.watches.fail(error)
    this.#signal.close()
    try {
      this.#file.db.close()
    } finally {
      this.#file.lock.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw this.#closed
  }

  /** All that `run` reads is of one moment; leases that are due have ended before. */
  #read<T>(run: () => T): T {
    const { db } = this.#file
    try {
      if (db.isTransaction) return run()
      if ((this.#tables.nextExpiry() ?? Number.POSITIVE_INFINITY) <= this.#clock.now()) {
        this.#expire()
        this.#queue.flush()
      }
      db.exec('BEGIN')
      try {
        return run()
      } finally {
        db.exec('COMMIT')
      }
    } catch (error) {
      throw storeErrorOf(error, this.#path)
    }
  }

  #begin(): boolean {
    try {
      this.#file.db.exec('BEGIN IMMEDIATE')
    } catch (error) {
      if (resultCode(error) === busy) return false
      throw error
    }
    try {
      this.#revision = this.#tables.newest().revision
      for (const id of this.#tables.dueLeases(this.#clock.now())) {
        if (this.#tables.endLease(this.#revision + 1, id)) this.#revision++
      }
      return true
    } catch (error) {
      if (this.#file.db.isTransaction) this.#file.db.exec('ROLLBACK')
      throw error
    }
  }

  #commit(): void {
    const upTo = this.#revision - this.#history
    if (upTo - this.#tables.meta('compacted') >= compactionStep) this.#tables.compact(upTo)
    this.#file.db.exec('COMMIT')
    try {
      this.#signal.send(this.#revision)
    } catch (error) {
      this.#log.warn('other processes learn of changes late', { path: this.#path, error })
    }
    this.#refresh()
  }

  /** Gives watches what is new, by whomever, and sets the timer of leases. */
  #refresh(): void {
    if (this.#closed !== undefined) return
    try {
      this.#leases.arm(this.#tables.nextExpiry())
      this.#read(() => this.#follower.catchUp())
    } catch (error) {
      const made = storeErrorOf(error, this.#path)
      this.#log.error('changes could not be read', { path: this.#path, error: made })
      if (made.code === 'STORE_DAMAGED') this.#follower.watches.fail(made)
    }
  }

  /** All of `run` or nothing, inside a transaction that goes on with others. */
  #wholly<T>(run: () => T): T {
    const { db } = this.#file
    db.exec('SAVEPOINT job')
    try {
      const result = run()
      db.exec('RELEASE job')
      return result
    } catch (error) {
      if (db.isTransaction) db.exec('ROLLBACK TO job; RELEASE job')
      throw error
    }
  }

  #operate(revision: number, operation: Operation): OperationResult {
    const { type, key } = operation
    if (type === 'get') return { type, entry: this.#tables.get(key) }
    if (type === 'delete') return { type, previous: this.#tables.delete(revision, key) }
    return { type, entry: this.#tables.put(revision, key, operation.value, operation.lease) }
  }

  #beginWatch(watch: WatchQueue, fromRevision: number | undefined): Beginning {
    this.#checkOpen()
    parsePrefix(watch.prefix)
    parseFromRevision(fromRevision)
    return this.#read((): Beginning => {
      if (this.#follower.watches.empty) {
        this.#follower.start()
        this.#signal.listen(
          () => this.#refresh(),
          (error) => this.#log.warn('changes are looked for once a second', { path: this.#path, error }),
        )
      } else {
        this.#follower.catchUp()
      }
      this.#follower.watches.add(watch)
      if (fromRevision === undefined) return { snapshot: true }
      if (fromRevision > this.#tables.newest().revision + 1)
        return { snapshot: true, lag: 'unknown-revision' }
      const changes = this.#follower.from(watch.prefix, fromRevision)
      return changes === undefined ? { snapshot: true, lag: 'compacted' } : { changes }
    })
  }

  async #keepAlive(id: LeaseId, ttlSeconds: number): Promise<void> {
    this.#checkOpen()
    try {
      const expires = await this.#queue.add(() => {
        const until = this.#clock.now() + ttlSeconds * 1000
        this.#tables.renew(id, until)
        return until
      })
      this.#leases.renewed(id, expires)
      this.#leases.arm(this.#tables.nextExpiry())
    } catch (error) {
      if (error instanceof StoreError && error.code === 'STORE_LEASE_LOST') this.#leases.lose(id, 'has ended')
      throw error
    }
  }

  async #revoke(id: LeaseId): Promise<void> {
    this.#checkOpen()
    await this.#queue.add(() =>
      this.#wholly(() => {
        if (this.#tables.endLease(this.#revision + 1, id)) this.#revision++
      }),
    )
    this.#leases.lose(id, 'was revoked')
  }

  /** A write of nothing: every write begins by ending the leases that are due. */
  #expire(): void {
    if (this.#closed !== undefined) return
    this.#queue
      .add(() => undefined)
      .catch((error: unknown) => this.#log.warn('leases end late', { path: this.#path, error }))
  }
}
