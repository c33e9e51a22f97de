import type { PluginFactory } from '@podfabric/cni'
import { describe, expect, it } from 'vitest'
import { cases } from '../src/cases/index.ts'
import { CaseFailure } from '../src/failure.ts'
import type { Exchange } from '../src/harness/exchange.ts'
import { expectations } from '../src/harness/expectations.ts'
import type { Harness } from '../src/harness/harness.ts'
import type { CaseResult, Report } from '../src/report/report.ts'
import { run } from '../src/run.ts'
import { referenceIpam } from './fixtures/reference-ipam.ts'
import { ipamSubject, type Mutant, mutants, referenceSubject } from './mutants/index.ts'

const idsOf = (report: Report, status: CaseResult['status']) =>
  report.results.filter((result) => result.status === status).map(({ id }) => id)

function expected({ fails }: Mutant, report: Report): readonly string[] {
  if (!('allBut' in fails)) return [...fails].sort()
  const applicable = report.results.filter(({ status }) => status !== 'not applicable').map(({ id }) => id)
  return applicable.filter((id) => !fails.allBut.includes(id)).sort()
}

const missingVerb = 'gc.unsupported-is-reported'

describe('the reference plugins pass', () => {
  it.each([
    ['a routed network', referenceSubject],
    ['address management', ipamSubject],
  ])('%s', async (_what, subject) => {
    const report = await run(subject)
    expect(report.results.filter(({ failure }) => failure !== undefined)).toEqual([])
  })

  it('and between them every case applies to one, but those about what is missing', async () => {
    const reports = [await run(referenceSubject), await run(ipamSubject)]
    const applied = new Set(reports.flatMap((report) => idsOf(report, 'passed')))
    expect(cases.map(({ id }) => id).filter((id) => !applied.has(id))).toEqual([missingVerb])
  })
})

describe('a broken plugin fails exactly the cases about what is broken in it', () => {
  const killed = new Set<string>()

  it.each(mutants)('$name', { timeout: 60_000 }, async (mutant) => {
    const report = await run(mutant.subject)
    expect(idsOf(report, 'harness error')).toEqual([])
    const failed = idsOf(report, 'failed')
    for (const id of failed) killed.add(id)
    expect(failed.sort()).toEqual(expected(mutant, report))
  })

  it('and every case is failed by one', () => {
    // This one no factory can fail, for the process edge speaks for it: see below.
    expect(cases.map(({ id }) => id).filter((id) => !killed.has(id))).toEqual([missingVerb])
  })

  it('and no mutant passes', () => {
    expect(mutants.filter(({ fails }) => !('allBut' in fails) && fails.length === 0)).toEqual([])
  })
})

describe(missingVerb, () => {
  const judged = (outcome: Partial<Exchange>) => {
    const answer = { stdout: '', stderr: '', exitCode: 0, command: 'GC', ...outcome }
    // The case uses nothing else of a harness.
    const harness = { ...expectations, node: {}, call: async () => answer } as unknown as Harness
    return cases.find(({ id }) => id === missingVerb)?.run(harness)
  }

  it('is failed by silence', () => expect(judged({})).rejects.toThrow(CaseFailure))
  it('is passed by a line on stderr', () => expect(judged({ stderr: 'no GC here' })).resolves.toBeUndefined())
  it('is passed by a failure', () => expect(judged({ exitCode: 1 })).resolves.toBeUndefined())

  it('applies to a plugin without GC, which the process edge speaks for', async () => {
    const factory: PluginFactory = (context) => {
      const { gc: _left, ...plugin } = referenceIpam(context)
      return plugin
    }
    const report = await run({ ...ipamSubject, kind: 'factory', factory }, { only: [missingVerb] })
    expect(report.results.map(({ status }) => status)).toEqual(['passed'])
  })
})
