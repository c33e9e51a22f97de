import { describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { kernelContract } from './contract.ts'
import type { Lab } from './lab.ts'

/** A lab without nodes, which counts how often it was closed. */
function emptyLab() {
  let closed = 0
  const lab = async (): Promise<Lab> => ({
    clock: systemClock,
    nodes: async () => {
      throw new Error('no nodes here')
    },
    close: async () => {
      closed += 1
    },
  })
  return { lab, closed: () => closed }
}

describe('the contract tests', () => {
  it('have titles that are unique', () => {
    const names = kernelContract(emptyLab().lab, { supports: [] }).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it('say why they are skipped where a feature is missing, and run where it is there', () => {
    const { lab } = emptyLab()
    const without = kernelContract(lab, { supports: ['conntrack'] }).filter(({ skip }) => skip !== undefined)
    expect(without.length).toBeGreaterThan(0)
    expect(new Set(without.map(({ skip }) => skip))).toEqual(new Set(['this kernel has no nft']))
    const all = kernelContract(lab, { supports: ['nft', 'conntrack'] })
    expect(all.filter(({ skip }) => skip !== undefined)).toEqual([])
  })

  it('fail, and close their lab, on a kernel that does nothing', async () => {
    const { lab, closed } = emptyLab()
    const cases = kernelContract(lab, { supports: ['nft', 'conntrack'] })
    for (const { run } of cases) await expect(run()).rejects.toThrow('no nodes here')
    expect(closed()).toBe(cases.length)
  })
})
