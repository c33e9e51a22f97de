import type { Change, WatchEvent } from './store.ts'
import type { StoreError } from './store-error.ts'
import type { WatchQueue } from './watch-queue.ts'

/** The open watches of a store by prefix, so that a change costs only those that it concerns. */
export class WatchRegistry {
  readonly #byPrefix = new Map<string, Set<WatchQueue>>()

  get empty(): boolean {
    return this.#byPrefix.size === 0
  }

  add(watch: WatchQueue): void {
    const watches = this.#byPrefix.get(watch.prefix)
    if (watches === undefined) this.#byPrefix.set(watch.prefix, new Set([watch]))
    else watches.add(watch)
  }

  delete(watch: WatchQueue): void {
    const watches = this.#byPrefix.get(watch.prefix)
    watches?.delete(watch)
    if (watches?.size === 0) this.#byPrefix.delete(watch.prefix)
  }

  /** Gives each watch the changes of one revision that are under its prefix. */
  publish(revision: number, changes: readonly Change[]): void {
    if (this.#byPrefix.size === 0) return
    const news = new Map<WatchQueue, Change[]>()
    for (const change of changes) {
      for (const prefix of prefixesOf(change.key)) {
        for (const watch of this.#byPrefix.get(prefix) ?? []) {
          const sofar = news.get(watch)
          if (sofar === undefined) news.set(watch, [change])
          else sofar.push(change)
        }
      }
    }
    for (const [watch, its] of news) watch.push(revision, its)
  }

  /** Changes are lost to all of them. */
  overrun(): void {
    for (const watch of this.#all()) watch.overrun()
  }

  /** Ends all of them. */
  fail(error: StoreError): void {
    for (const watch of this.#all()) watch.fail(error)
  }

  #all(): WatchQueue[] {
    return [...this.#byPrefix.values()].flatMap((set) => [...set])
  }
}

/** Every prefix that `key` is under, the shortest first. */
function* prefixesOf(key: string): Generator<string, void> {
  yield ''
  for (let slash = key.indexOf('/'); slash >= 0; slash = key.indexOf('/', slash + 1))
    yield key.slice(0, slash + 1)
}

/** What a watch of `prefix` reports of one revision: one event or none. */
export function eventUnder(prefix: string, revision: number, all: readonly Change[]): WatchEvent[] {
  const changes = all.filter((change) => change.key.startsWith(prefix))
  return changes.length === 0 ? [] : [{ kind: 'changes', revision, changes }]
}
