import { join } from 'node:path'
import { systemClock } from '@podfabric/kernel'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { manualClock } from '@podfabric/store/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { testFolder } from '../fixtures/folder.ts'
import { fileLocks } from './file-locks.ts'

const available = linuxAvailable()
const why = available.available ? '' : ` (skipped: ${available.reason})`

/** As two processes have them: each has the file open itself. */
async function two() {
  const path = join(await testFolder(), 'locks')
  const pair = [fileLocks(path, systemClock), fileLocks(path, systemClock)] as const
  onTestFinished(() => {
    for (const locks of pair) locks[Symbol.dispose]()
  })
  return pair
}

describe.skipIf(!available.available)(`locks in a file${why}`, () => {
  it('let one work at a time on a name, whichever process it is in', async () => {
    const pair = await two()
    let inside = 0
    let most = 0
    const work = async () => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside -= 1
    }
    await Promise.all(Array.from({ length: 20 }, (_, i) => pair[i % 2 === 0 ? 0 : 1].exclusive('name', work)))
    expect(most).toBe(1)
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => pair[i % 2 === 0 ? 0 : 1].exclusive(`name-${i}`, work)),
    )
    expect(most).toBe(20)
  })

  it('let those that share work side by side, and whoever is alone wait for all of them', async () => {
    const [one, other] = await two()
    const open = Promise.withResolvers<void>()
    const steps: string[] = []
    const share = (locks: typeof one, name: string) =>
      locks.shared('name', async () => {
        steps.push(`${name} begins`)
        await open.promise
        steps.push(`${name} ends`)
      })
    const sharing = [share(one, 'a'), share(one, 'b'), share(other, 'c')]
    await expect.poll(() => steps.length).toBe(3)
    const alone = other.exclusive('name', async () => void steps.push('alone'))
    await one.shared('another', async () => undefined)
    open.resolve()
    await Promise.all([...sharing, alone])
    expect(steps.at(-1)).toBe('alone')
  })

  it('say so when another process holds a name for too long, and are not waited for when that is given up', async () => {
    const path = join(await testFolder(), 'locks')
    const clock = manualClock()
    const [one, other] = [fileLocks(path, clock), fileLocks(path, clock)]
    const open = Promise.withResolvers<void>()
    const holding = one.exclusive('name', () => open.promise)
    const refused = other.exclusive('name', async () => undefined)
    const given = new AbortController()
    const abandoned = other.exclusive('name', async () => undefined, { signal: given.signal })
    const outcomes = Promise.allSettled([refused, abandoned])
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(20_040)
    await expect(refused).rejects.toMatchObject({ code: 'CNI_TRY_AGAIN_LATER' })
    given.abort(new Error('given up'))
    await clock.advance(40)
    await expect(abandoned).rejects.toThrow('given up')
    await outcomes
    open.resolve()
    await holding
    await other.exclusive('name', async () => undefined)
    for (const locks of [one, other]) locks[Symbol.dispose]()
  })
})
