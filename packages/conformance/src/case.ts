import type { Feature } from './feature.ts'
import type { Harness } from './harness/harness.ts'
import type { Level } from './level.ts'
import type { RuleId } from './rules.ts'

/** One tiny test as data: one rule, one behaviour. */
export interface Case {
  /** `<family>.<name>`, printed everywhere, unique, never reused for something else. */
  readonly id: string
  readonly level: Level
  /** The clause that it tests; `rules` says where it is written and what it asks. */
  readonly rule: RuleId
  /** A sentence about what a conformant plugin does. */
  readonly title: string
  /** What the subject must have for the case to mean something. What it lacks makes the case not applicable, with the reason. */
  readonly requires?: readonly Feature[]
  /** How many nodes it works on. Default 1. */
  readonly nodes?: 1 | 2
  /** Rejects with a `CaseFailure` when the subject does otherwise. Whatever else it rejects with is the harness' own failure. */
  run(harness: Harness): Promise<void>
}
