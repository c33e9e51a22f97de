// Prints what the test runner wrote down, one line of counts last. Fails where other tests were skipped than skips.txt says.
import { readFileSync } from 'node:fs'

const report = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const tests = report.testResults.flatMap((file) => file.assertionResults)
const count = (...statuses) => tests.filter(({ status }) => statuses.includes(status)).length
const skipped = tests
  .filter(({ status }) => status !== 'passed' && status !== 'failed')
  .map(({ fullName }) => fullName.replace(/ \[(MUST|SHOULD|MAY)\] .*/, ''))
const reasons = readFileSync(new URL('skips.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [suite, reason, names] = line.split(' | ')
    return { suite, reason, names: names.split(' ; ').map((name) => `${suite} ${name}`) }
  })
const listed = reasons.flatMap(({ names }) => names)

for (const { suite, reason, names } of reasons) console.log(`skipped, ${names.length}: ${suite} (${reason})`)
const differences = [
  ...without(skipped, listed).map((name) => `+ skipped, and not in .ci/skips.txt: ${name}`),
  ...without(listed, skipped).map((name) => `- in .ci/skips.txt, and not skipped: ${name}`),
]
for (const line of differences) console.log(line)

const [passed, failed] = [count('passed'), count('failed')]
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`)
if (failed > 0 || passed === 0 || !report.success || differences.length > 0) process.exitCode = 1

/** What of `names` is not in `others`, each as often as it is too many. */
function without(names, others) {
  const left = [...others]
  return names.filter((name) => {
    const at = left.indexOf(name)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
}
