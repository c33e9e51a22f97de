import { keptLog } from '@podfabric/cni/testing'
import { KernelError } from '@podfabric/kernel'
import { simulate } from '@podfabric/kernel-sim'
import type { KubeObject, Pod } from '@podfabric/kube'
import { ifAddressFrom, ip, parseIp } from '@podfabric/netaddr'
import { describe, expect, it } from 'vitest'
import { hasCondition } from './conditions.ts'
import { manifest } from './fixtures/manifest.ts'
import { kubelet } from './kubelet.ts'
import { objectTable } from './object-table.ts'
import { deletePod } from './pod-deletion.ts'
import type { WorkloadFactory } from './workload.ts'

const pod = (name: string, spec = '') =>
  manifest(`
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec: { nodeName: n1, containers: [{ name: main }, { name: side }]${spec} }
`)

/** A kubelet whose network and containers write down what happens to them and fail where they are told to. */
function node() {
  const network = simulate()
  const { clock, random } = network
  const kernel = network.node('n1')
  const { log, logged } = keptLog()
  const table = objectTable({ now: () => clock.now(), log })
  const seen: string[] = []
  const fails = new Map<string, number>()
  const start = clock.now()
  let count = 0
  let beats = 0

  function happens(what: string) {
    const left = fails.get(what.replace(/ .*/, '')) ?? 0
    fails.set(what.replace(/ .*/, ''), left - 1)
    seen.push(`${Math.round(clock.now() - start)}: ${what}${left > 0 ? ' fails' : ''}`)
    if (left > 0) throw new KernelError('EBUSY', what, 'not now')
  }

  const workload: WorkloadFactory = async ({ container, pod }) => {
    happens(`run ${pod.metadata.name}/${container.name}`)
    return { stop: async () => happens(`stop ${pod.metadata.name}/${container.name}`) }
  }
  const nodeObject: KubeObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1', labels: {}, annotations: {}, ownerReferences: [] },
    spec: { podCIDRs: [], unschedulable: false, taints: [] },
    status: { addresses: [{ type: 'InternalIP', address: '192.168.0.1' }], conditions: [] },
  }
  table.put(nodeObject)
  const begin = () =>
    kubelet({
      node: 'n1',
      kernel,
      table,
      clock,
      random,
      log,
      workloadFor: () => workload,
      heartbeat: { every: 10_000, beat: () => void beats++ },
      network: {
        async attach({ args }) {
          happens(`attach ${args.K8S_POD_NAME}`)
          return {
            interfaces: [],
            ips: [{ address: ifAddressFrom(parseIp(`10.244.1.${++count}`)) }],
            routes: [],
          }
        },
        detach: async ({ args }) => happens(`detach ${args.K8S_POD_NAME}`),
      },
    })
  const stored = (name: string): Pod | undefined => table.get('Pod', name, 'default')
  return {
    begin,
    kernel,
    table,
    seen,
    fails,
    logged,
    stored,
    beats: () => beats,
    put: (objects: readonly KubeObject[]) => objects.map((object) => table.put(object)),
    pass: (ms: number) => clock.advance(ms),
    remove(name: string, grace?: number) {
      const found = stored(name)
      if (found) deletePod(table, found, clock.now(), grace)
    },
    namespaces: async () => (await kernel.netns.list()).map(({ name }) => name),
  }
}

const ready = (one: Pod | undefined) => hasCondition(one?.status?.conditions, 'Ready')

describe('a kubelet', () => {
  it('runs the pods of its node, those there before it and those that come, and no others', async () => {
    const made = node()
    made.put(pod('early'))
    const running = made.begin()
    made.put([
      ...pod('late'),
      ...manifest(
        '{ apiVersion: v1, kind: Pod, metadata: { name: far }, spec: { nodeName: n2, containers: [{ name: a }] } }',
      ),
    ])
    await made.pass(0)
    expect(made.stored('early')?.status).toMatchObject({
      phase: 'Running',
      podIP: '10.244.1.1',
      podIPs: [{ ip: '10.244.1.1' }],
      hostIP: '192.168.0.1',
    })
    expect(ready(made.stored('late'))).toBe(true)
    expect(made.stored('far')?.status).toBeUndefined()
    expect(made.seen.filter((one) => one.includes('early'))).toEqual([
      '0: attach early',
      '0: run early/main',
      '0: run early/side',
    ])
    const early = made.stored('early')
    if (!early) throw new Error('it is gone')
    expect(running.sandbox(early)?.addresses).toEqual([ip('10.244.1.1')])
    expect(await made.namespaces()).toHaveLength(2)
  })

  it('ends a deleted pod when its grace is over, in order, and leaves nothing', async () => {
    const made = node()
    made.begin()
    made.put(pod('web'))
    await made.pass(1000)
    made.remove('web')
    await made.pass(29_999)
    expect(ready(made.stored('web'))).toBe(true)
    expect(made.seen).toHaveLength(3)
    await made.pass(1)
    expect(made.seen.slice(3)).toEqual(['31000: stop web/main', '31000: stop web/side', '31000: detach web'])
    expect(made.stored('web')).toBeUndefined()
    expect(await made.namespaces()).toEqual([])
  })

  it('ends a pod at once where it has no grace, or is deleted again with less', async () => {
    const made = node()
    made.begin()
    made.put([...pod('short', ', terminationGracePeriodSeconds: 0'), ...pod('long')])
    await made.pass(0)
    made.remove('short')
    made.remove('long')
    await made.pass(5000)
    expect([made.stored('short'), made.stored('long') !== undefined]).toEqual([undefined, true])
    made.remove('long', 2000)
    await made.pass(1999)
    expect(made.stored('long')).toBeDefined()
    await made.pass(1)
    expect(made.stored('long')).toBeUndefined()
  })

  it('ends a pod that somebody has taken out of the table', async () => {
    const made = node()
    made.begin()
    made.put(pod('web'))
    await made.pass(0)
    made.table.remove('Pod', 'web', 'default')
    await made.pass(0)
    expect(made.seen.at(-1)).toBe('0: detach web')
    expect(await made.namespaces()).toEqual([])
  })

  it('takes a pod that was deleted before it began out of the table', async () => {
    const made = node()
    made.put(pod('web'))
    made.remove('web')
    made.begin()
    await made.pass(0)
    expect(made.stored('web')).toBeUndefined()
    expect(made.seen).toEqual([])
  })

  it('tries again, ever more patiently, where the network refuses a pod; each time from nothing', async () => {
    const made = node()
    made.fails.set('attach', 8)
    made.begin()
    made.put(pod('web'))
    await made.pass(0)
    expect(made.stored('web')?.status).toMatchObject({
      phase: 'Pending',
      reason: 'FailedCreatePodSandBox',
      message: 'attach web: not now (EBUSY)',
    })
    expect(await made.namespaces()).toEqual([])
    await made.pass(1_000_000)
    const times = made.seen
      .filter((one) => one.includes('attach'))
      .map((one) => Number(one.split(':')[0]) / 1000)
    expect(times).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183])
    expect(ready(made.stored('web'))).toBe(true)
    expect(made.stored('web')?.status).not.toHaveProperty('message')
    expect(await made.namespaces()).toHaveLength(1)
  })

  it('tries again where a container does not start, while the others run', async () => {
    const made = node()
    made.fails.set('run', 2)
    made.begin()
    made.put(pod('web'))
    await made.pass(0)
    expect(made.stored('web')?.status).toMatchObject({ podIP: '10.244.1.1', reason: 'ContainerFailed' })
    expect(ready(made.stored('web'))).toBe(false)
    await made.pass(1000)
    expect(ready(made.stored('web'))).toBe(true)
  })

  it('keeps a pod that it cannot clean up, and tries again', async () => {
    const made = node()
    made.fails.set('detach', 2)
    made.begin()
    made.put(pod('web', ', terminationGracePeriodSeconds: 0'))
    await made.pass(0)
    made.remove('web')
    await made.pass(2000)
    expect(made.stored('web')?.status).toMatchObject({
      reason: 'FailedKillPod',
      message: expect.stringContaining('EBUSY'),
    })
    await made.pass(1000)
    expect(made.stored('web')).toBeUndefined()
    // Containers are stopped once, the namespace is taken away at the first attempt.
    expect(made.seen.filter((one) => one.includes('stop'))).toHaveLength(2)
    expect(await made.namespaces()).toEqual([])
  })

  it('stops with all its pods at once, whatever they were at', async () => {
    const made = node()
    const running = made.begin()
    made.put(pod('web'))
    await made.pass(0)
    made.fails.set('attach', 100)
    made.put([...pod('waiting'), ...pod('ending')])
    made.remove('web')
    await made.pass(0)
    await running.stop()
    expect(await made.namespaces()).toEqual([])
    const before = made.seen.length
    made.put(pod('more'))
    await made.pass(100_000)
    expect(made.seen).toHaveLength(before)
  })

  it('says, when it stops, what it could not clean up', async () => {
    const made = node()
    const running = made.begin()
    made.put(pod('web'))
    await made.pass(0)
    made.fails.set('detach', 100)
    await expect(running.stop()).rejects.toMatchObject({
      message: 'node n1: not every pod ended wholly',
      errors: [{ message: expect.stringMatching(/pod default\/web was not cleaned up wholly: .*EBUSY/) }],
    })
  })

  it('stops a pod that it was waiting to clean up again with one last attempt', async () => {
    const made = node()
    const running = made.begin()
    made.put(pod('web', ', terminationGracePeriodSeconds: 0'))
    await made.pass(0)
    made.fails.set('detach', 1)
    made.remove('web')
    await made.pass(500)
    await running.stop()
    expect(made.seen.slice(-2)).toEqual(['0: detach web fails', '500: detach web'])
    expect(made.stored('web')).toBeUndefined()
  })

  it('gives signs of life until it stops or crashes', async () => {
    const made = node()
    const running = made.begin()
    expect(made.beats()).toBe(1)
    await made.pass(30_000)
    expect(made.beats()).toBe(4)
    running.crash()
    await made.pass(30_000)
    expect(made.beats()).toBe(4)
  })

  it('that crashes says nothing more; its programs end with it, and nothing is cleaned up', async () => {
    const made = node()
    const running = made.begin()
    made.put([...pod('web', ', terminationGracePeriodSeconds: 5'), ...pod('late')])
    await made.pass(0)
    made.remove('web')
    const before = made.seen.length
    running.crash()
    await made.pass(100_000)
    expect(made.seen.slice(before).filter((one) => !one.includes('stop'))).toEqual([])
    expect(made.stored('web')).toBeDefined()
    expect(await made.namespaces()).toHaveLength(2)
  })

  it('of a node that has started anew runs its pods anew: until then they have no address', async () => {
    const made = node()
    made.begin()
    made.put(pod('web'))
    await made.pass(0)
    const again = node()
    const old = made.stored('web')
    if (!old) throw new Error('it is gone')
    again.put([old])
    again.fails.set('attach', 1)
    again.begin()
    await again.pass(0)
    expect(again.stored('web')?.status).toMatchObject({ phase: 'Pending', podIPs: [] })
    expect(ready(again.stored('web'))).toBe(false)
    await again.pass(1000)
    expect(ready(again.stored('web'))).toBe(true)
  })

  it('runs a pod with hostNetwork in its own namespace, without asking the network', async () => {
    const made = node()
    made.begin()
    made.put(pod('host', ', hostNetwork: true'))
    await made.pass(0)
    expect(made.stored('host')?.status).toMatchObject({ podIP: '192.168.0.1' })
    expect(made.seen).toEqual(['0: run host/main', '0: run host/side'])
    expect(await made.namespaces()).toEqual([])
  })
})
