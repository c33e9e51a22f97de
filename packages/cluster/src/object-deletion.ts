import type { KubeObject } from '@podfabric/kube'
import { ClusterError } from './cluster-error.ts'
import { describeObject } from './describe-object.ts'
import type { ObjectTable } from './object-table.ts'
import { deletePod } from './pod-deletion.ts'

/** Namespaces that are always there. */
export const systemNamespaces: readonly string[] = ['default', 'kube-system']

export interface DeleteOptions {
  /** Seconds until a pod is ended. Default: as its specification says. */
  readonly gracePeriodSeconds?: number
}

/**
 * Deletes an object as `kubectl delete` does: a pod gets its grace period, a namespace takes all its objects with it, what an
 * object has made goes after it. CLUSTER_INVALID for a node, which leaves rather than is deleted, and for the cluster's own
 * namespaces.
 */
export function deleteObject(
  table: ObjectTable,
  object: KubeObject,
  at: number,
  options: DeleteOptions = {},
): void {
  const { name } = object.metadata
  if (object.kind === 'Node') {
    throw new ClusterError(
      'CLUSTER_INVALID',
      `${describeObject(object)}: take the node out of the cluster instead`,
    )
  }
  if (object.kind === 'Namespace' && systemNamespaces.includes(name)) {
    throw new ClusterError(
      'CLUSTER_INVALID',
      `${describeObject(object)}: the cluster itself needs this namespace`,
    )
  }
  remove(table, object, at, options)
}

function remove(table: ObjectTable, object: KubeObject, at: number, options: DeleteOptions): void {
  const { gracePeriodSeconds } = options
  if (object.kind === 'Pod') {
    deletePod(table, object, at, gracePeriodSeconds === undefined ? undefined : 1000 * gracePeriodSeconds)
    return
  }
  const namespace = 'namespace' in object.metadata ? object.metadata.namespace : undefined
  table.remove(object.kind, object.metadata.name, namespace)
  if (object.kind !== 'Namespace') return
  const kinds = ['Deployment', 'StatefulSet', 'ReplicaSet', 'Service', 'EndpointSlice', 'Pod'] as const
  for (const kind of kinds) {
    for (const inside of table.list(kind, object.metadata.name)) remove(table, inside, at, options)
  }
}
