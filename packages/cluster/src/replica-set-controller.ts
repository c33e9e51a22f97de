import { isReady, type Pod, type ReplicaSet } from '@podfabric/kube'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isOrphanOf, isOwnedBy, isTerminating, ownedBy } from './owned.ts'
import { deletePod } from './pod-deletion.ts'
import { nameSuffix, podFrom } from './pod-template.ts'

export interface ControllerOptions {
  readonly table: ObjectTable
  readonly random: () => number
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
}

/** Keeps as many pods of each ReplicaSet as it asks for; adopts pods without an owner that its selector matches. */
export function replicaSetController(options: ControllerOptions): ControlLoopPart {
  return {
    name: 'replica sets',
    sync() {
      for (const set of options.table.list('ReplicaSet')) syncSet(set, options)
    },
  }
}

function syncSet(set: ReplicaSet, options: ControllerOptions): void {
  const { table, random, now } = options
  const { namespace, name } = set.metadata
  if (isTerminating(set)) return
  const pods = podsOf(set, table)
  const missing = set.spec.replicas - pods.length
  for (let i = 0; i < missing; i++) {
    let podName = `${name}-${nameSuffix(random)}`
    while (table.get('Pod', podName, namespace)) podName = `${name}-${nameSuffix(random)}`
    table.put(podFrom(set.spec.template, { name: podName, namespace, owner: ownedBy(set) }))
  }
  for (const pod of pods.toSorted(firstToGo).slice(0, Math.max(0, -missing))) deletePod(table, pod, now())
  writeStatus(set, podsOf(set, table), table)
}

/** Its pods that are not ending; orphans become its own first. */
function podsOf(set: ReplicaSet, table: ObjectTable): readonly Pod[] {
  return table.list('Pod', set.metadata.namespace).flatMap((pod) => {
    if (isTerminating(pod) || isFinished(pod)) return []
    if (isOwnedBy(pod, set)) return [pod]
    if (!isOrphanOf(pod, set.spec.selector)) return []
    return [table.put({ ...pod, metadata: { ...pod.metadata, ownerReferences: [ownedBy(set)] } })]
  })
}

/** Kubernetes' order: not placed, then not ready, then the youngest. */
function firstToGo(a: Pod, b: Pod): number {
  return (
    rank(a) - rank(b) ||
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '')
  )
}

function rank(pod: Pod): number {
  if (pod.spec.nodeName === undefined) return 0
  return isReady(pod) ? 2 : 1
}

function writeStatus(set: ReplicaSet, pods: readonly Pod[], table: ObjectTable): void {
  const current = table.get('ReplicaSet', set.metadata.name, set.metadata.namespace)
  if (!current) return
  const readyReplicas = pods.filter(isReady).length
  table.put({
    ...current,
    status: {
      observedGeneration: current.metadata.generation ?? 0,
      replicas: pods.length,
      readyReplicas,
      availableReplicas: readyReplicas,
    },
  })
}
