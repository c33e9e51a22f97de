import { type KubeObject, objectKey } from '@podfabric/kube'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { deletePod } from './pod-deletion.ts'

const collected = ['ReplicaSet', 'Pod', 'EndpointSlice'] as const

/** Deletes what was made by an object that is not there any more, and what lives in a namespace that is gone. */
export function garbageCollector(table: ObjectTable, now: () => number): ControlLoopPart {
  return {
    name: 'garbage collector',
    sync() {
      const uids = new Set(owners(table).map(({ metadata }) => metadata.uid))
      for (const kind of collected) {
        for (const object of table.list(kind)) {
          const { ownerReferences, name, namespace } = object.metadata
          const orphaned = ownerReferences.length > 0 && ownerReferences.every(({ uid }) => !uids.has(uid))
          if (!orphaned) continue
          if (object.kind === 'Pod') deletePod(table, object, now())
          else table.remove(kind, name, namespace)
        }
      }
    },
  }
}

function owners(table: ObjectTable): readonly KubeObject[] {
  const kinds = ['Deployment', 'ReplicaSet', 'StatefulSet', 'Service', 'Node'] as const
  return kinds.flatMap((kind) => table.list(kind) as readonly KubeObject[])
}

/** Deletes an object as `kubectl delete` does: a pod gets its grace period, a namespace takes all its objects with it. */
export function deleteObject(table: ObjectTable, object: KubeObject, at: number): void {
  if (object.kind === 'Pod') {
    deletePod(table, object, at)
    return
  }
  const { name } = object.metadata
  const namespace = 'namespace' in object.metadata ? object.metadata.namespace : undefined
  table.remove(object.kind, name, namespace)
  if (object.kind !== 'Namespace') return
  const kinds = ['Deployment', 'StatefulSet', 'ReplicaSet', 'Service', 'EndpointSlice', 'Pod'] as const
  for (const kind of kinds) for (const inside of table.list(kind, name)) deleteObject(table, inside, at)
}

/** `pod default/web`, for messages. */
export function describeObject(object: KubeObject): string {
  const [kind = '', ...rest] = objectKey(object).split('/')
  return `${kind.toLowerCase()} ${rest.join('/')}`
}
