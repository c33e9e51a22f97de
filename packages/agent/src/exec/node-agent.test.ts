import { describe, expect, it } from 'vitest'
import { deletionsWith } from './node-agent.ts'

describe('deletions at once', () => {
  it('leave threads of the pool to others', () => {
    expect(deletionsWith(undefined)).toBe(3)
    expect(deletionsWith('32')).toBe(30)
    expect(deletionsWith('5')).toBe(3)
    expect(deletionsWith('2')).toBe(1)
  })

  it('are at least one, and as without the variable where it is no number', () => {
    expect(deletionsWith('1')).toBe(1)
    expect(deletionsWith('0')).toBe(1)
    expect(deletionsWith('many')).toBe(3)
    expect(deletionsWith('')).toBe(3)
  })
})
