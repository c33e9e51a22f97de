import { describe, expect, it } from 'vitest'
import { hasCondition } from './conditions.ts'
import { bench } from './fixtures/control-bench.ts'
import { manifest } from './fixtures/manifest.ts'
import { defaultNodeTimes, nodeLifecycle } from './node-lifecycle.ts'

async function watched() {
  const made = bench(() => [])
  const lifecycle = nodeLifecycle(made.table, made.clock, defaultNodeTimes)
  await made.node('n1', { ready: false })
  await made.node('n2', { ready: false })
  lifecycle.heard('n1')
  lifecycle.heard('n2')
  await made.put(
    ...manifest(`
apiVersion: v1
kind: Pod
metadata: { name: web }
spec: { nodeName: n1, containers: [{ name: main }] }
---
apiVersion: v1
kind: Pod
metadata: { name: other }
spec: { nodeName: n2, containers: [{ name: main }] }
`),
  )
  await made.ready('web', 'other')
  const ready = (name: string) => hasCondition(made.table.get('Node', name)?.status?.conditions, 'Ready')
  const podReady = (name: string) => hasCondition(made.podNamed(name).status?.conditions, 'Ready')
  /** As kubelets do: a sign of life every 10 s. */
  const live = async (seconds: number, ...names: readonly string[]) => {
    for (let i = 0; i < seconds; i += 10) {
      for (const name of names) lifecycle.heard(name)
      await made.clock.advance(10_000)
    }
  }
  return { ...made, lifecycle, isReady: ready, podReady, live }
}

describe('a node', () => {
  it('is ready while it gives signs of life', async () => {
    const { live, isReady, podReady } = await watched()
    await live(1000, 'n1', 'n2')
    expect([isReady('n1'), isReady('n2'), podReady('web')]).toEqual([true, true, true])
  })

  it('that is silent for 40 s is not ready, nor are its pods, and no other', async () => {
    const { live, isReady, podReady, table } = await watched()
    await live(30, 'n2')
    expect(isReady('n1')).toBe(true)
    await live(10, 'n2')
    expect([isReady('n1'), isReady('n2')]).toEqual([false, true])
    expect([podReady('web'), podReady('other')]).toEqual([false, true])
    expect(table.get('Node', 'n1')?.status?.conditions).toMatchObject([
      {
        type: 'Ready',
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        lastTransitionTime: '2025-01-01T00:00:40.000Z',
      },
    ])
  })

  it('that stays silent for 300 s more loses its pods', async () => {
    const { live, names } = await watched()
    await live(330, 'n2')
    expect(names()).toEqual(['other', 'web'])
    await live(10, 'n2')
    expect(names()).toEqual(['other'])
  })

  it('that is heard again in time keeps its pods', async () => {
    const { live, isReady, names } = await watched()
    await live(200, 'n2')
    await live(400, 'n1', 'n2')
    expect(isReady('n1')).toBe(true)
    expect(names()).toEqual(['other', 'web'])
  })

  it('that is forgotten is not waited for', async () => {
    const { lifecycle, live, isReady, names } = await watched()
    lifecycle.forget('n1')
    await live(1000, 'n2')
    expect(isReady('n1')).toBe(true)
    expect(names()).toEqual(['other', 'web'])
  })
})
