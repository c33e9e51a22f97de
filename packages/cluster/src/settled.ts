import type { Clock } from '@podfabric/kernel'
import { type Deployment, isReady, type Pod, type ReplicaSet, type StatefulSet } from '@podfabric/kube'
import { ClusterError } from './cluster-error.ts'
import { hasCondition } from './conditions.ts'
import type { ControlLoop } from './control-loop.ts'
import { describeObject } from './describe-object.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isTerminating } from './owned.ts'

/** What is not yet as it should be, one sentence each; empty once all is. A paused Deployment is as it should be. */
export function unsettled(table: ObjectTable): readonly string[] {
  return [
    ...table.list('Deployment').flatMap(unsettledDeployment),
    ...table.list('StatefulSet').flatMap(unsettledStatefulSet),
    ...table.list('ReplicaSet').flatMap(unsettledReplicaSet),
    ...table.list('Pod').flatMap((pod) => unsettledPod(pod, table) ?? []),
  ]
}

function unsettledDeployment(deployment: Deployment): readonly string[] {
  const { metadata, spec, status } = deployment
  const right =
    status?.observedGeneration === metadata.generation &&
    status?.updatedReplicas === spec.replicas &&
    status.replicas === spec.replicas &&
    status.availableReplicas === spec.replicas
  const now = `${status?.availableReplicas ?? 0} available, ${status?.updatedReplicas ?? 0} up to date`
  return right || spec.paused ? [] : [`${describeObject(deployment)}: ${now}, ${spec.replicas} wished`]
}

function unsettledStatefulSet(set: StatefulSet): readonly string[] {
  const { spec, status, metadata } = set
  const { replicas, updateStrategy, ordinals } = spec
  const untouched =
    updateStrategy.type === 'OnDelete'
      ? replicas
      : Math.max(0, updateStrategy.rollingUpdate.partition - ordinals.start)
  const right =
    status?.observedGeneration === metadata.generation &&
    status?.replicas === replicas &&
    status.readyReplicas === replicas &&
    status.updatedReplicas >= replicas - untouched
  const now = `${status?.readyReplicas ?? 0} ready, ${status?.updatedReplicas ?? 0} up to date`
  return right ? [] : [`${describeObject(set)}: ${now}, ${replicas} wished`]
}

function unsettledReplicaSet(set: ReplicaSet): readonly string[] {
  const { spec, status } = set
  const right = status?.replicas === spec.replicas && status.readyReplicas === spec.replicas
  return right ? [] : [`${describeObject(set)}: ${status?.readyReplicas ?? 0} ready, ${spec.replicas} wished`]
}

function unsettledPod(pod: Pod, table: ObjectTable): string | undefined {
  if (isFinished(pod)) return undefined
  const what = describeObject(pod)
  if (isTerminating(pod)) return `${what}: is ending`
  const { nodeName } = pod.spec
  const node = nodeName === undefined ? undefined : table.get('Node', nodeName)
  if (nodeName !== undefined && !node) return `${what}: there is no node ${nodeName}`
  if (node && !hasCondition(node.status?.conditions, 'Ready'))
    return `${what}: its node ${nodeName} is silent`
  if (isReady(pod)) return undefined
  const { conditions = [], message } = pod.status ?? {}
  const why = conditions.find(({ status, message }) => status === 'False' && message !== undefined)
  return `${what}: ${message ?? why?.message ?? 'not ready'}`
}

export interface SettledOptions {
  /** Milliseconds on the cluster's clock. Default 600 s: longer than a lost node takes to be given up. */
  readonly timeout?: number
  /** More that must hold, each a sentence while it does not. Asked again after each change of an object. */
  readonly also?: () => readonly string[]
}

/**
 * Resolves once nothing is left to do. The wait itself lets time pass, so that background work goes on. CLUSTER_NOT_SETTLED,
 * which says what is missing, when it takes longer than the timeout.
 */
export async function settled(
  table: ObjectTable,
  loop: Pick<ControlLoop, 'idle' | 'problems'>,
  clock: Clock,
  options: SettledOptions = {},
): Promise<void> {
  const { timeout = 600_000, also = () => [] } = options
  let late = false
  let wake: () => void = () => undefined
  const timer = clock.after(timeout, () => {
    late = true
    wake()
  })
  const watch = table.watch(() => wake())
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve
      })
      await loop.idle()
      const missing = [...loop.problems(), ...unsettled(table), ...also()]
      if (missing.length === 0) return
      if (late) throw notSettled(missing, timeout)
      await changed
    }
  } finally {
    timer[Symbol.dispose]()
    watch[Symbol.dispose]()
  }
}

function notSettled(missing: readonly string[], timeout: number): ClusterError {
  const shown = missing.slice(0, 5).join('; ')
  const more = missing.length > 5 ? `; and ${missing.length - 5} more` : ''
  return new ClusterError('CLUSTER_NOT_SETTLED', `not settled after ${timeout / 1000} s: ${shown}${more}`)
}
