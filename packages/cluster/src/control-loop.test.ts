import { describe, expect, it } from 'vitest'
import type { Later } from './control-loop.ts'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'

const pod = (name: string) =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { containers: [{ name: main }] }
`)

describe('a control loop', () => {
  it('runs its parts in order after a change, once for many, until none changes anything', async () => {
    const seen: string[] = []
    const { put, table } = bench(() => [
      {
        name: 'first',
        sync: () => {
          seen.push('first')
          if (table.get('Pod', 'a', 'default') && !table.get('Pod', 'made', 'default'))
            table.put(pod('made')[0] as never)
        },
      },
      { name: 'second', sync: () => void seen.push('second') },
    ])
    await put(...pod('a'), ...pod('b'), ...pod('c'))
    expect(seen).toEqual(['first', 'second', 'first', 'second'])
  })

  it('goes on past a part that fails, tells of it once, and of its recovery', async () => {
    const seen: string[] = []
    let broken: string | undefined = 'no idea'
    const { put, loop, logged } = bench(() => [
      {
        name: 'broken',
        sync: () => {
          if (broken !== undefined) throw new Error(broken)
        },
      },
      { name: 'sound', sync: () => void seen.push('sound') },
    ])
    await put(...pod('a'))
    await put(...pod('b'))
    expect(seen).toEqual(['sound', 'sound'])
    expect(loop.problems()).toEqual(['broken: no idea'])
    expect(logged).toHaveLength(1)
    broken = undefined
    loop.poke()
    await loop.idle()
    expect(loop.problems()).toEqual([])
  })

  it('collects the problems of its parts', async () => {
    const { loop } = bench(() => [
      { name: 'a', sync: () => undefined, problems: () => ['one', 'two'] },
      { name: 'b', sync: () => undefined },
    ])
    expect(loop.problems()).toEqual(['one', 'two'])
  })

  it('runs again when time has come for a part, and no sooner', async () => {
    const at: number[] = []
    const { put, clock } = bench(() => [
      {
        name: 'patient',
        sync: (later: Later) => {
          at.push(clock.now() - start)
          if (clock.now() < start + 3000) later(start + 3000)
          if (clock.now() < start + 1000) later(start + 1000)
        },
      },
    ])
    const start = clock.now()
    await put(...pod('a'))
    await clock.advance(10_000)
    expect(at).toEqual([0, 1000, 3000])
  })

  it('stops parts that work against each other, and says so, until something else changes', async () => {
    let rounds = 0
    const { put, loop, table, logged } = bench(() => [
      {
        name: 'restless',
        sync: () => {
          rounds++
          const found = table.get('Pod', 'a', 'default')
          if (found)
            table.put({ ...found, metadata: { ...found.metadata, labels: { round: String(rounds) } } })
        },
      },
    ])
    await put(...pod('a'))
    expect(rounds).toBe(1001)
    expect(loop.problems()).toEqual([expect.stringContaining('work against each other')])
    expect(logged).toHaveLength(1)
    table.remove('Pod', 'a', 'default')
    await loop.idle()
    expect(loop.problems()).toEqual([])
  })

  it('does nothing any more once it is disposed', async () => {
    let rounds = 0
    const { put, loop, table } = bench(() => [{ name: 'part', sync: () => void rounds++ }])
    table.put(pod('a')[0] as never)
    loop[Symbol.dispose]()
    await put(...pod('b'))
    loop.poke()
    await loop.idle()
    expect(rounds).toBe(0)
  })
})
