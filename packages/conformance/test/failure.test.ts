import { describe, expect, it } from 'vitest'
import { formatFailure, formatJunit, formatTable, type Report, run, verdictOf } from '../src/index.ts'
import { mutants } from './mutants/index.ts'

const mutant = (name: string) => {
  const found = mutants.find((each) => each.name === name)
  if (found === undefined) throw new Error(`there is no mutant "${name}"`)
  return found.subject
}

describe('a failure', () => {
  it('shows clause, expectation, what was seen, calls, commands, packets and how to run the case again', async () => {
    const subject = mutant('does not switch forwarding on')
    const report = await run(subject, { only: ['connectivity.same-node'], seed: 3 })
    const text = formatFailure(report.results[0] as Report['results'][number])
    expect(text).toMatch(/^connectivity\.same-node \[MUST\] pods on one node/)
    expect(text).toContain('clause    NM-02, Kubernetes')
    expect(text).toContain('expected  pod 1 on node-1 to reach 10.88.1.3')
    expect(text).toContain('CNI_COMMAND=ADD')
    expect(text).toContain('node-1# ip link add')
    expect(text).toMatch(/pod 1 on node-1, eth0 out IP 10\.88\.1\.2 > 10\.88\.1\.3: ICMP echo request/)
    expect(text).toContain("run(subject, { only: ['connectivity.same-node'], seed: 3 })")
  })

  it('is the same for the same seed, octet for octet', async () => {
    const subject = mutant('masquerades what goes to another node')
    const once = await run(subject, { only: ['no-nat'], seed: 9 })
    const again = await run(subject, { only: ['no-nat'], seed: 9 })
    expect(formatTable(again)).toBe(formatTable(once))
  })

  it('stands in JUnit with its text, as XML', async () => {
    const report = await run(mutant('drops prevResult'), { only: ['add.prev-result-kept'] })
    const xml = formatJunit(report)
    expect(xml).toContain('failures="1"')
    expect(xml).toContain('&quot;cniVersion&quot;')
    expect(xml.replaceAll(/<[^<>]*>/g, '')).not.toMatch(/[<>]/)
  })
})

describe('a verdict', () => {
  const report = (
    ...results: readonly [status: Report['results'][number]['status'], level: 'MUST' | 'SHOULD'][]
  ) =>
    ({
      ...({
        schema: 1,
        subject: 's',
        network: 'n',
        versions: [],
        seed: 1,
        features: {},
      } as unknown as Report),
      results: results.map(([status, level], index) => ({
        id: `a.${index}`,
        level,
        rule: 'X',
        where: '',
        says: '',
        title: '',
        status,
      })),
    }) satisfies Report

  it('fails closed: without any case, without one that applies, and where the suite itself failed', () => {
    expect(verdictOf(report()).ok).toBe(false)
    expect(verdictOf(report(['not applicable', 'MUST'])).ok).toBe(false)
    expect(verdictOf(report(['passed', 'MUST'], ['harness error', 'SHOULD'])).ok).toBe(false)
  })

  it('forgives a failed SHOULD unless it is strict', () => {
    const mixed = report(['passed', 'MUST'], ['failed', 'SHOULD'])
    expect(verdictOf(mixed).ok).toBe(true)
    expect(verdictOf(mixed, { strict: true }).ok).toBe(false)
    expect(verdictOf(report(['passed', 'MUST'], ['failed', 'MUST'])).ok).toBe(false)
  })
})
