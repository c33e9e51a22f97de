import type { Clock } from '../clock.ts'
import type { Store } from '../store.ts'
import type { FileCheck, Recovery } from './open-file.ts'

/** Where a file store reports what nobody waits for. */
export interface FileStoreLog {
  warn(message: string, facts?: Readonly<Record<string, unknown>>): void
  error(message: string, facts?: Readonly<Record<string, unknown>>): void
}

export interface FileStoreOptions {
  /** The file. Beside it stand others with `-wal`, `-shm`, `-lock` and `-revision` added. Its folder is made (0700). */
  readonly path: string
  /** Ends leases: the time of day, the same in every process. Its timers are background timers but for retries. */
  readonly clock: Clock
  /** Default: nobody is told. */
  readonly log?: FileStoreLog
  /**
   * How many of the latest revisions are kept for watches that resume, and how many events may wait for one watcher. At
   * least 1; up to 64 more may be kept. Default 4096.
   */
  readonly history?: number
  /**
   * `full`: the whole file is checked when it is opened, which takes some 10 ms for each 1,000 entries. `reads`, for
   * processes that live for one call: only its end and what is read. Default `full`.
   */
  readonly check?: FileCheck
}

/** A store in a file of this machine, which several processes may use at once. */
export interface FileStore extends Store, AsyncDisposable {
  /**
   * The file was damaged, was set aside, and this one was begun: whoever can rebuild its content has to. Every process that
   * opens the file sees it, until `recoveryDone`.
   */
  readonly recovered: Recovery | undefined
  /** The content is rebuilt; durably forgets `recovered`. */
  recoveryDone(): Promise<void>
  /** Forgets the history up to and including `revision`, default all. */
  compact(revision?: number): Promise<void>
}
