import { describe, expect, it } from 'vitest'
import { KeyedMutex, SharedLock } from './locks.ts'

function gate() {
  let open: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

describe('KeyedMutex', () => {
  it('runs work of one key in order, past failures, and of others beside it', async () => {
    const mutex = new KeyedMutex()
    const steps: string[] = []
    const { open, opened } = gate()
    const first = mutex.run('a', async () => {
      await opened
      steps.push('a1')
      throw new Error('a1 failed')
    })
    const second = mutex.run('a', async () => steps.push('a2'))
    await mutex.run('b', async () => steps.push('b1'))
    open()
    await expect(first).rejects.toThrow('a1 failed')
    await second
    expect(steps).toEqual(['b1', 'a1', 'a2'])
  })
})

describe('SharedLock', () => {
  it('lets exclusive work wait for what runs, and holds back what comes after it', async () => {
    const lock = new SharedLock()
    const steps: string[] = []
    const { open, opened } = gate()
    const before = [1, 2].map((n) =>
      lock.shared(async () => {
        await opened
        steps.push(`shared ${n}`)
      }),
    )
    const alone = lock.exclusive(async () => {
      steps.push('exclusive begins')
      await Promise.resolve()
      steps.push('exclusive ends')
      throw new Error('it failed')
    })
    const after = lock.shared(async () => void steps.push('shared 3'))
    open()
    await expect(alone).rejects.toThrow('it failed')
    await Promise.all([...before, after])
    expect(steps).toEqual(['shared 1', 'shared 2', 'exclusive begins', 'exclusive ends', 'shared 3'])
  })
})
