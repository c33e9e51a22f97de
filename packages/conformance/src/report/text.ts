import type { CaseResult, Report } from './report.ts'
import { verdictOf } from './report.ts'

const marks = { passed: '✔', failed: '✘', 'not applicable': '–', 'harness error': '!' } as const

/** A failure in full: clause, what was expected and seen, every call, and how to run it again. */
export function formatFailure({ id, level, rule, where, says, title, status, failure }: CaseResult): string {
  if (failure === undefined) return ''
  const { expected, seen, calls, commands, packets, replay } = failure
  return [
    `${id} [${level}] ${title}`,
    `  clause    ${rule}, ${where}: ${says}`,
    ...(status === 'harness error' ? ['  the suite itself failed: this says nothing about the plugin'] : []),
    `  expected  ${indent(expected)}`,
    `  seen      ${indent(seen)}`,
    ...(calls.length === 0
      ? []
      : ['  calls', ...calls.map((call) => `    ${call.replaceAll('\n', '\n    ')}`)]),
    ...(commands.length === 0
      ? []
      : ['  what the plugins did', ...commands.map((command) => `    ${command}`)]),
    ...(packets.length === 0 ? [] : ['  packets', ...packets.map((packet) => `    ${packet}`)]),
    `  again     ${replay}`,
  ].join('\n')
}

/** The results as a table, one line for each case, then each failure, then the verdict. */
export function formatTable(report: Report, options: { readonly strict?: boolean } = {}): string {
  const width = Math.max(...report.results.map(({ id }) => id.length), 0)
  const lines = report.results.map(({ id, level, status, title, reason }) => {
    const row = `${marks[status]} ${id.padEnd(width)}  ${level.padEnd(6)}  ${title}`
    return reason === undefined ? row : `${row} (not applicable: ${reason})`
  })
  const failures = report.results.map(formatFailure).filter((text) => text !== '')
  const { ok, because, counts } = verdictOf(report, options)
  const total = Object.entries(counts).map(([status, count]) => `${count} ${status}`)
  return [
    `${report.subject}, network ${report.network}, versions ${report.versions.join(', ')}, seed ${report.seed}`,
    '',
    ...lines,
    ...failures.flatMap((text) => ['', text]),
    '',
    `${total.join(', ')}`,
    `${ok ? 'PASS' : 'FAIL'}: ${because}`,
    '',
  ].join('\n')
}

function indent(text: string): string {
  return text.replaceAll('\n', '\n            ')
}
