import { expect, test } from 'vitest'
import { podCount } from './deployment.ts'

test('a surge rounds up and unavailability rounds down', () => {
  expect(podCount('25%', 3, 'up')).toBe(1)
  expect(podCount('25%', 3, 'down')).toBe(0)
  expect(podCount('100%', 3, 'down')).toBe(3)
  expect(podCount(2, 3, 'up')).toBe(2)
})
