import type { Log } from '@podfabric/cni'
import { type Clock, type Kernel, sleep } from '@podfabric/kernel'
import type { Condition, Container, Pod, PodStatus } from '@podfabric/kube'
import { withCondition } from './conditions.ts'
import type { ObjectTable } from './object-table.ts'
import { isTerminating } from './owned.ts'
import type { PodNetwork } from './pod-network.ts'
import { watchReadiness } from './readiness.ts'
import { createSandbox, type Sandbox } from './sandbox.ts'
import type { Workload, WorkloadFactory } from './workload.ts'

export interface PodRunOptions {
  readonly kernel: Kernel
  readonly network: PodNetwork
  readonly table: ObjectTable
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
  readonly workloadFor: (image: string | undefined) => WorkloadFactory
  /** Called once, when nothing of the pod is left. */
  readonly onGone: () => void
}

/** One pod on its node, from the first attempt to give it a network until nothing of it is left. */
export interface PodRun {
  /** Undefined until the pod has its network. */
  readonly sandbox: Sandbox | undefined
  /** Ends the pod `grace` milliseconds from now, and takes it from the table. A shorter grace overrides a longer one. */
  end(grace: number): Promise<void>
  /** Forgets the pod without cleaning up. */
  abandon(): void
}

/** Milliseconds between attempts to make a sandbox: doubled each time up to the last. */
const firstRetry = 1_000
const lastRetry = 60_000

export function runPod(pod: Pod, options: PodRunOptions): PodRun {
  const { table, clock, log, onGone } = options
  const { name, namespace } = pod.metadata
  const facts = { pod: `${namespace}/${name}` }
  const stopping = new AbortController()
  const workloads: Workload[] = []
  let sandbox: Sandbox | undefined
  let graceTimer: Disposable | undefined
  let ended: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined
  let tearingDown = false

  /** Changes the pod's status as it stands in the table; does nothing once the pod is gone or another has its name. */
  function report(change: (status: PodStatus) => PodStatus) {
    const current = table.get('Pod', name, namespace)
    if (current?.metadata.uid !== pod.metadata.uid || !current) return
    table.put({
      ...current,
      status: change(current.status ?? { phase: 'Pending', podIPs: [], conditions: [] }),
    })
  }

  function condition(type: string, status: 'True' | 'False', why: Partial<Condition> = {}) {
    report((before) => ({
      ...before,
      conditions: withCondition(before.conditions, { type, status, ...why }, clock.now()),
    }))
  }

  async function makeSandbox(): Promise<Sandbox> {
    for (let retry = firstRetry; ; retry = Math.min(2 * retry, lastRetry)) {
      try {
        return await createSandbox(pod, options)
      } catch (error) {
        if (stopping.signal.aborted) throw error
        const message = error instanceof Error ? error.message : String(error)
        log.warn('no sandbox for a pod', { ...facts, error })
        report((status) => ({ ...status, reason: 'FailedCreatePodSandBox', message }))
        await sleep(clock, retry, { signal: stopping.signal, background: true })
      }
    }
  }

  async function startContainer(container: Container, { namespace: inside }: Sandbox) {
    const start = options.workloadFor(container.image)
    const { clock, random } = options
    workloads.push(await start({ pod, container, sockets: inside.sockets, clock, random, log }))
  }

  async function start() {
    const made = await makeSandbox()
    sandbox = made
    if (stopping.signal.aborted) return
    const [podIP] = made.addresses
    report(({ reason, message, ...status }) => ({
      ...status,
      podIPs: made.addresses.map((ip) => ({ ip })),
      ...(podIP !== undefined && { podIP }),
      startTime: new Date(clock.now()).toISOString(),
    }))
    for (const container of containersOf(pod)) await startContainer(container, made)
    if (stopping.signal.aborted) return
    report((status) => ({ ...status, phase: 'Running' }))
    condition('ContainersReady', 'True')
    watchReadiness(pod, made, {
      ...options,
      signal: stopping.signal,
      onChange: (ready) => condition('Ready', ready ? 'True' : 'False'),
    })
  }

  const started = start().catch((error) => {
    if (stopping.signal.aborted) return
    log.error('a pod did not start', { ...facts, error })
    const message = error instanceof Error ? error.message : String(error)
    report((status) => ({ ...status, reason: 'ContainerFailed', message }))
    condition('Ready', 'False', { reason: 'ContainerFailed', message })
  })

  async function tearDown() {
    stopping.abort()
    await started
    const stopped = await Promise.allSettled(workloads.map((workload) => workload.stop()))
    const removed = await Promise.allSettled([sandbox?.remove()])
    for (const outcome of [...stopped, ...removed]) {
      if (outcome.status === 'rejected')
        log.error('a pod was not cleaned up wholly', { ...facts, error: outcome.reason })
    }
    const current = table.get('Pod', name, namespace)
    if (current?.metadata.uid === pod.metadata.uid && current && isTerminating(current))
      table.remove('Pod', name, namespace)
    onGone()
    ended?.resolve()
  }

  function beginTearDown() {
    if (tearingDown) return
    tearingDown = true
    void tearDown()
  }

  return {
    get sandbox() {
      return sandbox
    },
    end(grace) {
      const already = ended
      const end = already ?? Promise.withResolvers<void>()
      ended = end
      if (grace === 0) {
        graceTimer?.[Symbol.dispose]()
        beginTearDown()
      } else if (!already) {
        graceTimer = clock.after(grace, beginTearDown, { background: true })
      }
      return end.promise
    },
    abandon() {
      graceTimer?.[Symbol.dispose]()
      tearingDown = true
      stopping.abort()
    },
  }
}

/** Containers that keep running: the pod's own, and init containers that are sidecars. */
function containersOf({ spec }: Pod): readonly Container[] {
  return [
    ...spec.initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always'),
    ...spec.containers,
  ]
}
