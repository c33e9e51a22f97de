import type { Store } from '../store.ts'

/** A store under test, fresh and empty. */
export interface StoreSubject {
  readonly store: Store
  /** Another client of the same data; the same object where there is only one. */
  readonly peer: Store
  /** Lets this much time pass for leases: steps a clock, or waits. */
  advance(ms: number): Promise<void>
  /** Forgets the history before the present revision. */
  compact(): Promise<void>
  /** Ends everything; the store may be closed already. */
  close(): Promise<void>
}

/** One rule that every store keeps. `run` rejects when this one does not. */
export interface StoreCase {
  readonly name: string
  run(): Promise<void>
}

/** A rule's name and how to try it on a subject. */
export type Rule = readonly [name: string, run: (subject: StoreSubject) => Promise<void>]
