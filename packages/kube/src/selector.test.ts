import { describe, expect, test } from 'vitest'
import { type LabelSelector, matches, matchesLabels } from './selector.ts'

const web = { app: 'web', tier: 'front' }

describe('matches', () => {
  const cases: readonly (readonly [string, LabelSelector, boolean])[] = [
    ['the empty selector matches everything', {}, true],
    ['every label must be there', { matchLabels: { app: 'web', tier: 'front' } }, true],
    ['another value does not match', { matchLabels: { app: 'db' } }, false],
    ['a missing label does not match', { matchLabels: { zone: 'a' } }, false],
    [
      'In takes one of several',
      { matchExpressions: [{ key: 'app', operator: 'In', values: ['db', 'web'] }] },
      true,
    ],
    ['In needs the label', { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] }, false],
    [
      'NotIn refuses the value',
      { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] },
      false,
    ],
    [
      'NotIn accepts a missing label',
      { matchExpressions: [{ key: 'zone', operator: 'NotIn', values: ['a'] }] },
      true,
    ],
    ['Exists needs the label', { matchExpressions: [{ key: 'zone', operator: 'Exists' }] }, false],
    [
      'DoesNotExist accepts its absence',
      { matchExpressions: [{ key: 'zone', operator: 'DoesNotExist' }] },
      true,
    ],
    [
      'both parts must hold',
      { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] },
      false,
    ],
    [
      'an inherited property is no label',
      { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] },
      false,
    ],
  ]
  for (const [title, selector, expected] of cases) {
    test(title, () => {
      expect(matches(selector, web)).toBe(expected)
    })
  }
})

test('an own label called __proto__ is compared like any other', () => {
  const labels: Record<string, string> = Object.fromEntries([['__proto__', 'x']])
  expect(matchesLabels(labels, labels)).toBe(true)
  expect(matchesLabels(labels, {})).toBe(false)
})
