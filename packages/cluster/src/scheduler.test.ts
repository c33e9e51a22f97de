import { describe, expect, it } from 'vitest'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'

const pod = (name: string, more = '') =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { containers: [{ name: main }]${more} }
`)

const why = (made: ReturnType<typeof bench>, name: string) =>
  made.podNamed(name).status?.conditions.find(({ type }) => type === 'PodScheduled')

describe('the scheduler', () => {
  it('places each pod on the node with the fewest, among equals the first by name', async () => {
    const made = bench()
    for (const name of ['n2', 'n1', 'n3']) await made.node(name)
    for (const name of ['a', 'b', 'c', 'd']) await made.put(...pod(name))
    expect(made.pods().map(({ spec }) => spec.nodeName)).toEqual(['n1', 'n2', 'n3', 'n1'])
    expect(why(made, 'a')).toMatchObject({ status: 'True' })
  })

  it('places many that come together as one after the other', async () => {
    const made = bench()
    for (const name of ['n1', 'n2']) await made.node(name)
    await made.put(...['a', 'b', 'c', 'd', 'e'].flatMap((name) => pod(name)))
    const nodes = made.pods().map(({ spec }) => spec.nodeName)
    expect(nodes.filter((name) => name === 'n1')).toHaveLength(3)
  })

  it('leaves a pod that names its node where it says', async () => {
    const made = bench()
    await made.node('n1')
    await made.put(...pod('a', ', nodeName: elsewhere'))
    expect(made.podNamed('a').spec.nodeName).toBe('elsewhere')
  })

  it('keeps pods from nodes that are silent, cordoned, tainted or without the labels they select, and says why', async () => {
    const made = bench()
    await made.node('silent', { ready: false })
    const spec = { podCIDRs: [], unschedulable: false, taints: [] }
    await made.node('cordoned', { spec: { ...spec, unschedulable: true } })
    const taint = { key: 'gpu', value: '', effect: 'NoSchedule' } as const
    await made.node('tainted', { spec: { ...spec, taints: [taint] } })
    await made.node('plain')
    await made.node('plain-too', { labels: { disk: 'hdd' } })
    await made.put(...pod('picky', ', nodeSelector: { disk: ssd }'))
    expect(why(made, 'picky')).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message: '0 of 5 nodes fit: 1 cordoned, 2 without the selected labels, 1 not ready, 1 tainted',
    })
    await made.node('fast', { labels: { disk: 'ssd' } })
    expect(made.podNamed('picky').spec.nodeName).toBe('fast')
    await made.put(...pod('easy'))
    expect(['plain', 'plain-too', 'fast']).toContain(made.podNamed('easy').spec.nodeName)
  })

  it('takes a taint that only prefers for none', async () => {
    const made = bench()
    const taint = { key: 'busy', value: '', effect: 'PreferNoSchedule' } as const
    await made.node('n1', { spec: { podCIDRs: [], unschedulable: false, taints: [taint] } })
    await made.put(...pod('a'))
    expect(made.podNamed('a').spec.nodeName).toBe('n1')
  })

  it('says that there is no node', async () => {
    const made = bench()
    await made.put(...pod('a'))
    expect(why(made, 'a')?.message).toBe('0 of 0 nodes fit: there is no node')
  })
})
