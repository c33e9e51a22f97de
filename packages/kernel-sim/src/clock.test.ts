import { sleep } from '@podfabric/kernel'
import { describe, expect, it } from 'vitest'
import { virtualClock } from './clock.ts'
import { turns } from './turn.ts'

const start = 1000

describe('virtualClock', () => {
  it('jumps to the next timer when nothing else is runnable', async () => {
    const clock = virtualClock({ start })
    await sleep(clock, 3_600_000)
    expect(clock.now()).toBe(start + 3_600_000)
  })

  it('fires timers in order of time, and those of one time in the order they were made', async () => {
    const clock = virtualClock({ start })
    const fired: string[] = []
    const note = (name: string) => () => fired.push(`${name}@${clock.now() - start}`)
    clock.after(20, note('c'))
    clock.after(10, note('a'))
    clock.after(10, note('b'))
    await sleep(clock, 30)
    expect(fired).toEqual(['a@10', 'b@10', 'c@20'])
  })

  it('lets promises settle before time passes', async () => {
    const clock = virtualClock({ start })
    const seen: number[] = []
    const chain = async (): Promise<void> => {
      for (let i = 0; i < 100; i++) await Promise.resolve()
      seen.push(clock.now())
    }
    clock.after(5, () => seen.push(clock.now()))
    await chain()
    await sleep(clock, 5)
    expect(seen).toEqual([start, start + 5])
  })

  it('stands still with only background timers, and fires them on the way of a foreground one', async () => {
    const clock = virtualClock({ start })
    const fired: number[] = []
    const tick = (): void => {
      fired.push(clock.now() - start)
      clock.after(10, tick, { background: true })
    }
    clock.after(10, tick, { background: true })
    await turns.settle()
    await turns.settle()
    expect(clock.now()).toBe(start)
    await sleep(clock, 35)
    expect(fired).toEqual([10, 20, 30])
  })

  it('does not fire what was disposed, not even by a timer of the same time', async () => {
    const clock = virtualClock({ start })
    const fired: string[] = []
    clock.after(5, () => second[Symbol.dispose]())
    const second = clock.after(5, () => fired.push('second'))
    const third = clock.after(1, () => fired.push('third'))
    third[Symbol.dispose]()
    third[Symbol.dispose]()
    await sleep(clock, 10)
    expect(fired).toEqual([])
  })

  it('does not advance by itself while it is held', async () => {
    const clock = virtualClock({ start })
    const one = clock.hold()
    const two = clock.hold()
    let woken = false
    const sleeping = sleep(clock, 10).then(() => {
      woken = true
    })
    one[Symbol.dispose]()
    one[Symbol.dispose]()
    for (let i = 0; i < 5; i++) await turns.settle()
    expect(woken).toBe(false)
    two[Symbol.dispose]()
    await sleeping
    expect(clock.now()).toBe(start + 10)
  })

  it('advances on demand through everything due, also while held', async () => {
    const clock = virtualClock({ start })
    const held = clock.hold()
    const fired: number[] = []
    const again = (): void => {
      fired.push(clock.now() - start)
      if (fired.length < 3) clock.after(10, again, { background: true })
    }
    clock.after(10, again, { background: true })
    await clock.advance(25)
    expect(fired).toEqual([10, 20])
    expect(clock.now()).toBe(start + 25)
    await clock.advance(0)
    expect(clock.now()).toBe(start + 25)
    held[Symbol.dispose]()
  })

  it('goes on after a callback that threw', async () => {
    const clock = virtualClock({ start })
    const held = clock.hold()
    const fired: string[] = []
    clock.after(1, () => {
      throw new Error('bad callback')
    })
    clock.after(1, () => fired.push('next'))
    await expect(clock.advance(5)).rejects.toThrow('bad callback')
    await clock.advance(5)
    expect(fired).toEqual(['next'])
    held[Symbol.dispose]()
  })

  it.each([-1, Number.NaN])('has no timer in %d ms', (delay) => {
    expect(() => virtualClock().after(delay, () => {})).toThrow(RangeError)
  })
})
