import { isReady, type Pod, type ReplicaSet } from '@podfabric/kube'
import { availableFrom } from './availability.ts'
import type { ControlLoopPart, Later } from './control-loop.ts'
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

/**
 * Keeps as many pods of each ReplicaSet as it asks for; adopts pods without an owner that its selector matches. Pods that are
 * ending do not count.
 */
export function replicaSetController(options: ControllerOptions): ControlLoopPart {
  return {
    name: 'replica sets',
    sync(later) {
      for (const set of options.table.list('ReplicaSet')) if (!isTerminating(set)) sync(set, options, later)
    },
  }
}

function sync(set: ReplicaSet, options: ControllerOptions, later: Later): void {
  const { table, now } = options
  const pods = podsOf(set, table)
  const missing = set.spec.replicas - pods.length
  for (let i = 0; i < missing; i++) createPod(set, options)
  for (const pod of pods.toSorted(firstToGo).slice(0, Math.max(0, -missing))) deletePod(table, pod, now())
  writeStatus(set, podsOf(set, table), options, later)
}

function createPod(set: ReplicaSet, { table, random }: ControllerOptions): void {
  const { namespace, name: prefix } = set.metadata
  let name = `${prefix}-${nameSuffix(random)}`
  while (table.get('Pod', name, namespace)) name = `${prefix}-${nameSuffix(random)}`
  table.put(podFrom(set.spec.template, { name, namespace, owner: ownedBy(set) }))
}

/** Its pods that are not ending; orphans become its own first. */
function podsOf(set: ReplicaSet, table: ObjectTable): readonly Pod[] {
  return table.list('Pod', set.metadata.namespace).flatMap((pod) => {
    if (isTerminating(pod) || isFinished(pod)) return []
    if (isOwnedBy(pod, set)) return [pod]
    if (!isOrphanOf(pod, set.spec.selector)) return []
    const ownerReferences = [...pod.metadata.ownerReferences, ownedBy(set)]
    return [table.put({ ...pod, metadata: { ...pod.metadata, ownerReferences } })]
  })
}

/** Kubernetes' order: not placed, then not ready, then those ready for the shortest time, then the youngest. */
function firstToGo(a: Pod, b: Pod): number {
  return rank(a) - rank(b) || readySince(b) - readySince(a) || createdAt(b) - createdAt(a)
}

function rank(pod: Pod): number {
  if (pod.spec.nodeName === undefined) return 0
  return isReady(pod) ? 2 : 1
}

const readySince = (pod: Pod) => availableFrom(pod, 0) ?? 0
const createdAt = ({ metadata }: Pod) => Date.parse(metadata.creationTimestamp ?? '') || 0

function writeStatus(
  set: ReplicaSet,
  pods: readonly Pod[],
  { table, now }: ControllerOptions,
  later: Later,
): void {
  const current = table.get('ReplicaSet', set.metadata.name, set.metadata.namespace)
  if (!current) return
  const moments = pods.flatMap((pod) => availableFrom(pod, set.spec.minReadySeconds) ?? [])
  for (const moment of moments) if (moment > now()) later(moment)
  table.put({
    ...current,
    status: {
      observedGeneration: current.metadata.generation ?? 0,
      replicas: pods.length,
      readyReplicas: pods.filter(isReady).length,
      availableReplicas: moments.filter((moment) => moment <= now()).length,
    },
  })
}
