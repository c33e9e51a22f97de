import type { Features } from '../feature.ts'
import type { Level } from '../level.ts'

export type Status = 'passed' | 'failed' | 'not applicable' | 'harness error'

/** What became of one case. */
export interface CaseResult {
  readonly id: string
  readonly level: Level
  /** Clause: `DL-08`. */
  readonly rule: string
  /** Where the clause is written. */
  readonly where: string
  /** What the clause asks. */
  readonly says: string
  readonly title: string
  readonly status: Status
  /** Why it is not applicable: what the subject lacks. */
  readonly reason?: string
  /** Of failed cases and harness errors. */
  readonly failure?: Failure
}

export interface Failure {
  readonly expected: string
  readonly seen: string
  /** Every call of a plugin, as a person would have typed it, with what came back. */
  readonly calls: readonly string[]
  /** What the plugins asked of the kernel, as commands. */
  readonly commands: readonly string[]
  /** What was captured at both ends of the last traffic, where that is what failed. */
  readonly packets: readonly string[]
  /** How to run this one case again. */
  readonly replay: string
}

/** The whole of a run, as data. `schema` grows by one when a field changes its meaning. */
export interface Report {
  readonly schema: 1
  readonly subject: string
  readonly network: string
  /** The versions that the subject lists. */
  readonly versions: readonly string[]
  readonly seed: number
  readonly features: Features
  readonly results: readonly CaseResult[]
}

export interface Verdict {
  readonly ok: boolean
  /** One sentence: what decided it. */
  readonly because: string
  readonly counts: Readonly<Record<Status, number>>
}

/**
 * Whether a report is a pass. It fails closed: a run in which nothing passed, or in which the harness itself failed, is none.
 * A failed SHOULD or MAY counts only with `strict`.
 */
export function verdictOf(report: Report, options: { readonly strict?: boolean } = {}): Verdict {
  const counts: Record<Status, number> = { passed: 0, failed: 0, 'not applicable': 0, 'harness error': 0 }
  for (const { status } of report.results) counts[status] += 1
  const broken = report.results.filter(
    ({ status, level }) => status === 'failed' && (level === 'MUST' || options.strict === true),
  )
  const because =
    counts['harness error'] > 0
      ? `the harness failed in ${counts['harness error']} of ${report.results.length} cases, so nothing is proven`
      : broken.length > 0
        ? `${broken.length} of ${report.results.length} cases failed: ${broken.map(({ id }) => id).join(', ')}`
        : counts.passed === 0
          ? 'no case passed: none applies, so nothing is proven'
          : undefined
  if (because !== undefined) return { ok: false, because, counts }
  const forgiven = counts.failed === 0 ? '' : `; ${counts.failed} SHOULD or MAY failed`
  return {
    ok: true,
    because: `every MUST that applies holds (${counts.passed} cases passed${forgiven})`,
    counts,
  }
}
