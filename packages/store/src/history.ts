import type { Change } from './store.ts'

/** What one revision changed. */
export interface Commit {
  readonly revision: number
  readonly changes: readonly Change[]
}

/** The latest revisions of a store, bounded in number. */
export class History {
  readonly #limit: number
  #commits: Commit[] = []
  #first = 0
  #compacted = 0

  /** Keeps the latest `limit` commits. */
  constructor(limit: number) {
    this.#limit = limit
  }

  append(commit: Commit): void {
    this.#commits.push(commit)
    if (this.#commits.length - this.#first > this.#limit) this.#dropFirst()
  }

  /** Forgets everything up to and including `revision`. */
  compact(revision: number): void {
    while ((this.#commits[this.#first]?.revision ?? Number.POSITIVE_INFINITY) <= revision) this.#dropFirst()
    this.#compacted = Math.max(this.#compacted, revision)
  }

  /** The commits from `revision` on, or undefined when some of them are no longer kept. */
  from(revision: number): Commit[] | undefined {
    if (revision <= this.#compacted) return undefined
    let low = this.#first
    let high = this.#commits.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#commits[middle]?.revision ?? 0) < revision) low = middle + 1
      else high = middle
    }
    return this.#commits.slice(low)
  }

  #dropFirst(): void {
    this.#compacted = this.#commits[this.#first]?.revision ?? this.#compacted
    this.#first++
    // Moving the rest down once per `limit` drops keeps a drop cheap and lets what was dropped go.
    if (this.#first >= this.#limit) {
      this.#commits = this.#commits.slice(this.#first)
      this.#first = 0
    }
  }
}
