import type { Pod } from '@podfabric/kube'
import type { ObjectTable } from './object-table.ts'
import { isTerminating } from './owned.ts'

/**
 * Begins to delete a pod: it is marked, leaves its services at once, and its node ends it after the grace period.
 * A pod that no node has is gone at once.
 */
export function deletePod(table: ObjectTable, pod: Pod, at: number): void {
  const { name, namespace } = pod.metadata
  if (pod.spec.nodeName === undefined) {
    table.remove('Pod', name, namespace)
  } else if (!isTerminating(pod)) {
    const deletionTimestamp = new Date(at + 1000 * pod.spec.terminationGracePeriodSeconds).toISOString()
    table.put({ ...pod, metadata: { ...pod.metadata, deletionTimestamp } })
  }
}
