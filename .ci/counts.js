// Prints what the test runner wrote down: every skipped test by name, then one line of counts.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const tests = report.testResults.flatMap((file) => file.assertionResults)
const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length
for (const { status, fullName } of tests) {
  if (status !== 'passed' && status !== 'failed') console.log(`skipped: ${fullName}`)
}
const passed = count('passed')
const failed = count('failed')
console.log(`${passed} passed, ${failed} failed, ${tests.length - passed - failed} skipped`)
if (failed > 0 || passed === 0 || !report.success) process.exitCode = 1
