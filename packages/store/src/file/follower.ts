import type { WatchEvent } from '../store.ts'
import { eventUnder, WatchRegistry } from '../watch-registry.ts'
import type { Tables } from './tables.ts'

/** Reads what any process has written since, and gives it to the watches of this one. */
export class Follower {
  readonly watches = new WatchRegistry()
  readonly #tables: Tables
  #lastId = 0

  constructor(tables: Tables) {
    this.#tables = tables
  }

  /** Begins after the newest version; inside a read transaction. */
  start(): void {
    this.#lastId = this.#tables.newest().id
  }

  /** Publishes everything up to now; inside a read transaction. */
  catchUp(): void {
    if (this.watches.empty) return
    if (this.#tables.meta('compactedId') > this.#lastId) {
      this.start()
      this.watches.overrun()
      return
    }
    for (const { revision, lastId, changes } of [...this.#tables.after(this.#lastId)]) {
      this.#lastId = lastId
      this.watches.publish(revision, changes)
    }
  }

  /** What a watch of `prefix` has to be told of `fromRevision` and after, undefined when it is no longer all there. */
  from(prefix: string, fromRevision: number): WatchEvent[] | undefined {
    if (fromRevision <= this.#tables.meta('compacted')) return undefined
    const commits = [...this.#tables.after(this.#tables.idBefore(fromRevision))]
    return commits.flatMap(({ revision, changes }) => eventUnder(prefix, revision, changes))
  }
}
