import type { CaseResult, Report } from './report.ts'
import { formatFailure } from './text.ts'

/** The report as JUnit XML: a suite for each family, a test case for each case, `skipped` for what does not apply. */
export function formatJunit(report: Report): string {
  const families = Map.groupBy(report.results, ({ id }) => id.split('.')[0] ?? id)
  const suites = [...families].map(([family, results]) => suite(family, results))
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${escaped(`CNI conformance of ${report.subject}`)}"${counts(report.results)}>`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n')
}

function suite(family: string, results: readonly CaseResult[]): string {
  return [
    `  <testsuite name="${escaped(family)}"${counts(results)}>`,
    ...results.map(testCase),
    '  </testsuite>',
  ].join('\n')
}

function testCase(result: CaseResult): string {
  const { id, level, title, status, reason } = result
  const open = `    <testcase classname="${escaped(id.split('.')[0] ?? id)}" name="${escaped(`${id} [${level}] ${title}`)}"`
  if (status === 'passed') return `${open}/>`
  const element = status === 'failed' ? 'failure' : status === 'harness error' ? 'error' : 'skipped'
  const message = escaped(reason ?? `expected ${result.failure?.expected}`)
  return `${open}><${element} message="${message}">${escaped(formatFailure(result))}</${element}></testcase>`
}

function counts(results: readonly CaseResult[]): string {
  const count = (status: CaseResult['status']) => results.filter((each) => each.status === status).length
  return ` tests="${results.length}" failures="${count('failed')}" errors="${count('harness error')}" skipped="${count('not applicable')}"`
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: XML 1.0 has no place for these; they are shown as their code.
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
    .replace(unprintable, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
