import type { KubeObject } from '@podfabric/kube'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { deletePod } from './pod-deletion.ts'

const collected = ['ReplicaSet', 'Pod', 'EndpointSlice'] as const

/** Deletes what was made by objects of which none is there any more. */
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
  const kinds = ['Deployment', 'ReplicaSet', 'StatefulSet', 'Service', 'Pod', 'Node'] as const
  return kinds.flatMap((kind): readonly KubeObject[] => table.list(kind))
}
