import { describe, expect, it } from 'vitest'
import { locksUnder, processLocks } from './node-locks.ts'

describe('the locks of a process', () => {
  it('let work of one name run alone, and of others beside it', async () => {
    const locks = processLocks()
    const steps: string[] = []
    const open = Promise.withResolvers<void>()
    const first = locks.exclusive('a', async () => {
      await open.promise
      steps.push('first')
      throw new Error('it failed')
    })
    const second = locks.exclusive('a', async () => void steps.push('second'))
    const third = locks.shared('a', async () => void steps.push('third'))
    await locks.exclusive('b', async () => void steps.push('beside'))
    await locksUnder(locks, 'under/').exclusive('a', async () => void steps.push('under another name'))
    open.resolve()
    await expect(first).rejects.toThrow('it failed')
    await Promise.all([second, third])
    expect(steps).toEqual(['beside', 'under another name', 'first', 'second', 'third'])
  })

  it('are not taken by whoever has given up meanwhile', async () => {
    const locks = processLocks()
    const given = new AbortController()
    const open = Promise.withResolvers<void>()
    const first = locks.exclusive('a', () => open.promise)
    const worked: string[] = []
    const second = locks.exclusive('a', async () => worked.push('second'), { signal: given.signal })
    given.abort(new Error('given up'))
    open.resolve()
    await first
    await expect(second).rejects.toThrow('given up')
    expect(worked).toEqual([])
  })
})
