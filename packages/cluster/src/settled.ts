import type { Clock } from '@podfabric/kernel'
import { isReady, type Pod } from '@podfabric/kube'
import { ClusterError } from './cluster-error.ts'
import { hasCondition } from './conditions.ts'
import type { ControlLoop } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isTerminating } from './owned.ts'

/** What is not yet as it should be, one sentence each; empty once all is. */
export function unsettled(table: ObjectTable): readonly string[] {
  return [
    ...table.list('Pod').flatMap((pod) => unsettledPod(pod, table) ?? []),
    ...table.list('Deployment').flatMap(({ metadata, spec, status }) => {
      const right =
        status?.observedGeneration === metadata.generation &&
        status?.updatedReplicas === spec.replicas &&
        status.replicas === spec.replicas &&
        status.availableReplicas === spec.replicas
      const now = `${status?.availableReplicas ?? 0} available, ${status?.updatedReplicas ?? 0} up to date`
      return right || spec.paused
        ? []
        : [`deployment ${metadata.namespace}/${metadata.name}: ${now}, ${spec.replicas} wished`]
    }),
    ...[...table.list('StatefulSet'), ...table.list('ReplicaSet')].flatMap(
      ({ kind, metadata, spec, status }) => {
        const right = status?.replicas === spec.replicas && status.readyReplicas === spec.replicas
        const now = `${status?.readyReplicas ?? 0} ready`
        return right
          ? []
          : [`${kind.toLowerCase()} ${metadata.namespace}/${metadata.name}: ${now}, ${spec.replicas} wished`]
      },
    ),
  ]
}

function unsettledPod(pod: Pod, table: ObjectTable): string | undefined {
  const { name, namespace } = pod.metadata
  if (isFinished(pod)) return undefined
  const what = `pod ${namespace}/${name}`
  if (isTerminating(pod)) return `${what}: is ending`
  const node = table.get('Node', pod.spec.nodeName ?? '')
  if (node && !hasCondition(node.status?.conditions, 'Ready'))
    return `${what}: its node ${node.metadata.name} is silent`
  if (isReady(pod)) return undefined
  const scheduled = pod.status?.conditions.find(({ type }) => type === 'PodScheduled')
  return `${what}: ${pod.status?.message ?? scheduled?.message ?? pod.status?.reason ?? 'not ready'}`
}

export interface SettledOptions {
  /** Milliseconds on the cluster's clock. Default 600 s: longer than a lost node takes to be given up. */
  readonly timeout?: number
  /** More that must hold, each a sentence while it does not. */
  readonly also?: () => readonly string[]
}

/**
 * Resolves once nothing is left to do. The wait itself lets time pass, so that background work goes on. CLUSTER_NOT_SETTLED,
 * which says what is missing, when it takes longer than the timeout.
 */
export async function settled(
  table: ObjectTable,
  loop: ControlLoop,
  clock: Clock,
  options: SettledOptions = {},
): Promise<void> {
  const { timeout = 600_000, also = () => [] } = options
  const missing = () => [...unsettled(table), ...also()]
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
      const left = missing()
      if (left.length === 0) return
      if (late) {
        const shown = left.slice(0, 5).join('; ')
        const more = left.length > 5 ? `; and ${left.length - 5} more` : ''
        throw new ClusterError(
          'CLUSTER_NOT_SETTLED',
          `not settled after ${timeout / 1000} s: ${shown}${more}`,
        )
      }
      await changed
    }
  } finally {
    timer[Symbol.dispose]()
    watch[Symbol.dispose]()
  }
}
