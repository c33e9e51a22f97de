import type { Report } from './report.ts'
import { verdictOf } from './report.ts'

/** The report and its verdict as one JSON document. */
export function formatJson(report: Report, options: { readonly strict?: boolean } = {}): string {
  return `${JSON.stringify({ ...report, verdict: verdictOf(report, options) }, undefined, 2)}\n`
}
