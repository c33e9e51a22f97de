import { describe, expect, it } from 'vitest'
import { callByName } from './fixtures/client.ts'
import { running } from './fixtures/lab.ts'
import { deployment, namesOf, pod } from './fixtures/web.ts'

describe('a client that calls by name and keeps answers for as long as they say', () => {
  async function rollOver(grace: number) {
    const made = await running(['n1', 'n2'])
    const orders = { kind: 'Deployment', name: 'orders' } as const
    made.cluster.apply([...deployment('orders', { grace }), ...pod('client')])
    await made.cluster.settled()
    const calls = callByName(made.cluster, made.network.clock, 'client', 'orders')
    const first = namesOf(made)
    await made.cluster.settled()
    made.cluster.scale(orders, 13)
    await made.cluster.settled()
    const most = namesOf(made).length
    made.cluster.restart(orders)
    await made.cluster.settled()
    const second = namesOf(made)
    made.cluster.scale(orders, 1)
    await made.cluster.settled()
    await calls.stop()
    return { calls, first, most, second, last: namesOf(made), made }
  }

  it('fails no call while a deployment goes from 3 to 13 and 1 and is rolled over', {
    timeout: 60_000,
  }, async () => {
    const { calls, first, most, second, last } = await rollOver(30)
    expect(calls.failures).toEqual([])
    expect(calls.count).toBeGreaterThan(100)
    expect(first).toHaveLength(4)
    expect(most).toBe(14)
    expect(second.filter((name) => first.includes(name))).toEqual(['client'])
    expect(last).toHaveLength(2)
  })

  it('fails calls where pods get no grace period', { timeout: 60_000 }, async () => {
    const { calls } = await rollOver(0)
    expect(calls.failures.length).toBeGreaterThan(0)
  })
})

describe('the same seed', () => {
  it('makes the same cluster: names, addresses, ids and times', async () => {
    const run = async () => {
      const made = await running(['n1', 'n2'])
      made.cluster.apply(deployment('web'))
      await made.cluster.settled()
      made.cluster.restart({ kind: 'Deployment', name: 'web' })
      await made.cluster.settled()
      const sandboxes = namesOf(made).map((name) => made.cluster.pod(name).sandbox.id)
      return { now: made.network.clock.now(), pods: made.cluster.objects.list('Pod'), sandboxes }
    }
    expect(await run()).toEqual(await run())
  })
})
