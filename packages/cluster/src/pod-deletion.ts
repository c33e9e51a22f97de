import type { Pod } from '@podfabric/kube'
import type { ObjectTable } from './object-table.ts'
import { isTerminating } from './owned.ts'

/**
 * Begins to delete a pod: it is marked with the moment at which it ends, leaves its services at once, and its node ends it
 * then. A pod that no node has is gone at once. `grace` is in milliseconds; default: the pod's own. A pod that ends
 * already may end sooner, never later.
 */
export function deletePod(
  table: ObjectTable,
  pod: Pod,
  at: number,
  grace = 1000 * pod.spec.terminationGracePeriodSeconds,
): void {
  const { name, namespace, deletionTimestamp } = pod.metadata
  const { nodeName } = pod.spec
  if (nodeName === undefined || !table.get('Node', nodeName)) {
    table.remove('Pod', name, namespace)
    return
  }
  if (isTerminating(pod) && Date.parse(deletionTimestamp ?? '') <= at + grace) return
  table.put({
    ...pod,
    metadata: { ...pod.metadata, deletionTimestamp: new Date(at + grace).toISOString() },
  })
}

/** Milliseconds that a pod being deleted still has. */
export function graceLeft({ metadata }: Pod, at: number): number {
  return Math.max(0, Date.parse(metadata.deletionTimestamp ?? '') - at || 0)
}
