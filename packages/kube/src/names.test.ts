import { describe, expect, test } from 'vitest'
import { isDnsLabel, isDnsSubdomain, isLabelKey, isLabelValue, isPortName, isServiceName } from './names.ts'

const rules: readonly (readonly [string, (text: string) => boolean, readonly string[], readonly string[]])[] =
  [
    [
      'isDnsLabel',
      isDnsLabel,
      ['a', '0', 'a-b', 'a'.repeat(63)],
      ['', '-a', 'a-', 'A', 'a.b', 'a_b', 'a'.repeat(64)],
    ],
    ['isServiceName', isServiceName, ['a', 'a1'], ['1a', '', 'a-', 'a'.repeat(64)]],
    ['isDnsSubdomain', isDnsSubdomain, ['a.b', '1.2'], ['', '.', 'a.', 'a..b', `${'a.'.repeat(127)}`]],
    ['isPortName', isPortName, ['http', 'a-1', '8a'], ['80', 'a--b', '-a', 'http-too-long-no', '']],
    ['isLabelKey', isLabelKey, ['app', 'a.b/App_1', 'x'], ['', '/a', 'a/', 'a/b/c', 'A.b/c', '-a']],
    ['isLabelValue', isLabelValue, ['', 'a', 'A_1.b'], ['-a', 'a-', 'a b', 'a'.repeat(64)]],
  ]

for (const [title, rule, accepted, refused] of rules) {
  describe(title, () => {
    test.each(accepted)('accepts %j', (text) => {
      expect(rule(text)).toBe(true)
    })
    test.each(refused)('refuses %j', (text) => {
      expect(rule(text)).toBe(false)
    })
  })
}
