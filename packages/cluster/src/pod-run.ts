import type { Log } from '@podfabric/cni'
import type { Clock } from '@podfabric/kernel'
import type { Condition, Container, Pod, PodStatus } from '@podfabric/kube'
import { backOff } from './back-off.ts'
import { withCondition } from './conditions.ts'
import type { ObjectTable } from './object-table.ts'
import { isTerminating } from './owned.ts'
import { watchReadiness } from './readiness.ts'
import { createSandbox, type Sandbox, type SandboxOptions } from './sandbox.ts'
import type { Workload, WorkloadFactory } from './workload.ts'

export interface PodRunOptions extends SandboxOptions {
  readonly table: ObjectTable
  readonly clock: Clock
  readonly log: Log
  readonly workloadFor: (image: string | undefined) => WorkloadFactory
  /** Called once, when nothing of the pod is left. */
  readonly onGone: () => void
}

/** One pod on its node, from the first attempt to give it a network until nothing of it is left. */
export interface PodRun {
  /** Undefined until the pod has its network. */
  readonly sandbox: Sandbox | undefined
  /**
   * Ends the pod `grace` milliseconds from now, and takes it from the table once all that it held is given back; what fails is
   * tried again. A shorter grace overrides a longer one.
   */
  end(grace: number): void
  /** Ends it now and for good: rejects with what could not be given back. */
  stop(): Promise<void>
  /** Forgets the pod without cleaning up: its programs end, its network stays as it is. */
  abandon(): void
}

/**
 * Runs a pod: makes its sandbox, trying again with growing delays for as long as that fails, starts its containers likewise, and
 * reports its addresses and whether it is ready. Its containers go on answering until the grace is over.
 */
export function runPod(pod: Pod, options: PodRunOptions): PodRun {
  const { table, clock, random, log, nodeAddresses, onGone } = options
  const { name, namespace } = pod.metadata
  const facts = { pod: `${namespace}/${name}` }
  /** No more is begun. */
  const ending = new AbortController()
  /** No failed step is tried again. */
  const final = new AbortController()
  const workloads = new Map<string, Workload>()
  let abandoned = false
  let sandbox: Sandbox | undefined
  let timer: { readonly at: number; readonly handle: Disposable } | undefined
  let tearingDown: Promise<void> | undefined

  function current(): Pod | undefined {
    const found = table.get('Pod', name, namespace)
    return found?.metadata.uid === pod.metadata.uid ? found : undefined
  }

  /** Changes the pod's status as it stands in the table; does nothing once the pod is gone. */
  function report(change: (status: PodStatus) => PodStatus) {
    const found = abandoned ? undefined : current()
    if (found) table.put({ ...found, status: change(found.status ?? pending) })
  }

  function conditions(types: readonly string[], status: 'True' | 'False', why: Partial<Condition> = {}) {
    report((before) => ({
      ...before,
      conditions: types.reduce(
        (all, type) => withCondition(all, { type, status, ...why }, clock.now()),
        before.conditions,
      ),
    }))
  }

  function troubled(reason: string, doing: string) {
    return (error: unknown) => {
      const message = error instanceof Error ? error.message : String(error)
      log.warn(`${doing}: trying again`, { ...facts, error })
      report((status) => ({ ...status, reason, message }))
    }
  }

  async function startContainer(container: Container, { namespace: inside, addresses }: Sandbox) {
    const { sockets } = inside
    const context = { pod: current() ?? pod, container, addresses, sockets, clock, random, log }
    const workload = await backOff(() => options.workloadFor(container.image)(context), {
      clock,
      signal: ending.signal,
      onFailure: troubled('ContainerFailed', `container ${container.name} did not start`),
    })
    workloads.set(container.name, workload)
  }

  async function start() {
    // The first report comes after this function's caller has the run in its books.
    await Promise.resolve()
    if (pod.status?.podIP !== undefined) report(restarted)
    const made = await backOff(() => createSandbox(pod, options), {
      clock,
      signal: ending.signal,
      onFailure: troubled('FailedCreatePodSandBox', 'no sandbox for a pod'),
    })
    sandbox = made
    ending.signal.throwIfAborted()
    const [podIP] = made.addresses
    const [hostIP] = nodeAddresses
    report(({ reason, message, ...status }) => ({
      ...status,
      podIPs: made.addresses.map((ip) => ({ ip })),
      ...(podIP !== undefined && { podIP }),
      ...(hostIP !== undefined && { hostIP }),
      startTime: new Date(clock.now()).toISOString(),
    }))
    for (const sidecar of sidecarsOf(pod)) await startContainer(sidecar, made)
    const started = await Promise.allSettled(pod.spec.containers.map((one) => startContainer(one, made)))
    for (const outcome of started) if (outcome.status === 'rejected') throw outcome.reason
    ending.signal.throwIfAborted()
    report(({ reason, message, ...status }) => ({ ...status, phase: 'Running' }))
    watchReadiness(pod, made, {
      ...options,
      signal: ending.signal,
      onChange: (ready, message) =>
        conditions(['ContainersReady', 'Ready'], ready ? 'True' : 'False', {
          ...(!ready && { reason: 'ContainersNotReady' }),
          ...(message !== undefined && { message }),
        }),
    })
  }

  const started = start().catch((error: unknown) => {
    if (!ending.signal.aborted) log.error('a pod did not start', { ...facts, error })
  })

  async function giveBack() {
    const ended = [...workloads].map(async ([container, workload]) => {
      await workload.stop()
      workloads.delete(container)
    })
    const outcomes = [
      ...(await Promise.allSettled(ended)),
      ...(await Promise.allSettled([sandbox?.remove()])),
    ]
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    const [first] = errors
    if (errors.length === 0) return
    const reason = first instanceof Error ? first.message : String(first)
    throw new AggregateError(errors, `pod ${facts.pod} was not cleaned up wholly: ${reason}`)
  }

  async function tearDown() {
    ending.abort()
    await started
    await backOff(giveBack, {
      clock,
      signal: final.signal,
      onFailure: troubled('FailedKillPod', 'a pod was not cleaned up wholly'),
    }).catch((error: unknown) => {
      if (abandoned || error !== final.signal.reason) throw error
      // It was waiting when it was told to be done: one last attempt.
      return giveBack()
    })
    const found = current()
    if (found && isTerminating(found)) table.remove('Pod', name, namespace)
    onGone()
  }

  function endNow(): Promise<void> {
    timer?.handle[Symbol.dispose]()
    tearingDown ??= tearDown()
    return tearingDown
  }

  /** Only a last attempt rejects, and `stop` tells of that. */
  function endQuietly() {
    endNow().catch(() => undefined)
  }

  return {
    get sandbox() {
      return sandbox
    },
    end(grace) {
      const at = clock.now() + grace
      if (tearingDown || (timer && timer.at <= at)) return
      timer?.handle[Symbol.dispose]()
      if (grace === 0) endQuietly()
      else timer = { at, handle: clock.after(grace, endQuietly, { background: true }) }
    },
    stop() {
      final.abort()
      return endNow()
    },
    abandon() {
      abandoned = true
      timer?.handle[Symbol.dispose]()
      ending.abort()
      final.abort()
      // Its programs end with it. What they can no longer close went with the node.
      for (const workload of workloads.values()) void Promise.allSettled([workload.stop()])
    },
  }
}

const pending: PodStatus = { phase: 'Pending', podIPs: [], conditions: [] }

/** A pod whose node has started anew: it has no address yet, and is not ready. */
function restarted({ conditions }: PodStatus): PodStatus {
  return { ...pending, conditions: conditions.filter(({ type }) => type === 'PodScheduled') }
}

/** Init containers that keep running. The others have done their work before anything is simulated. */
function sidecarsOf({ spec }: Pod): readonly Container[] {
  return spec.initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')
}
