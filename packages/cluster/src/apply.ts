import { type KubeObject, type Namespace, objectKey, type Pod } from '@podfabric/kube'
import { ClusterError } from './cluster-error.ts'
import { describeObject } from './garbage-collector.ts'
import type { ObjectTable } from './object-table.ts'

/** What `apply` did with one object. */
export interface Applied {
  readonly object: KubeObject
  readonly outcome: 'created' | 'configured' | 'unchanged'
}

/**
 * Puts objects as `kubectl apply` does: what the cluster wrote itself (status, addresses, placement) is kept. All are checked before
 * the first is put: CLUSTER_INVALID for an object in a namespace that is not there, a pod that would have to change, or a
 * Node, and then nothing is changed.
 */
export function apply(table: ObjectTable, objects: readonly KubeObject[]): readonly Applied[] {
  const namespaces = new Set(
    [...table.list('Namespace'), ...objects.filter(isNamespace)].map(({ metadata }) => metadata.name),
  )
  const merged = objects.map((object) => {
    check(object, namespaces)
    return merge(object, existing(table, object))
  })
  return merged.map((object) => {
    const before = existing(table, object)
    const after = table.put(object)
    return {
      object: after,
      outcome: before === undefined ? 'created' : before === after ? 'unchanged' : 'configured',
    }
  })
}

const isNamespace = (object: KubeObject): object is Namespace => object.kind === 'Namespace'

function check(object: KubeObject, namespaces: ReadonlySet<string>): void {
  if (object.kind === 'Node') {
    throw new ClusterError(
      'CLUSTER_INVALID',
      `${describeObject(object)}: nodes join by themselves; leave it out, and add a node instead`,
    )
  }
  if (object.kind === 'Namespace' || namespaces.has(object.metadata.namespace)) return
  throw new ClusterError(
    'CLUSTER_INVALID',
    `${describeObject(object)}: there is no namespace ${object.metadata.namespace}; apply a Namespace of that name with it`,
  )
}

function existing(table: ObjectTable, object: KubeObject): KubeObject | undefined {
  const namespace = 'namespace' in object.metadata ? object.metadata.namespace : undefined
  return table.get(object.kind, object.metadata.name, namespace)
}

function merge(object: KubeObject, before: KubeObject | undefined): KubeObject {
  if (!before) return object
  if (object.kind === 'Pod' && before.kind === 'Pod') return mergePod(object, before)
  if (object.kind === 'Service' && before.kind === 'Service') {
    const { clusterIP, clusterIPs } = before.spec
    const given =
      object.spec.clusterIP !== undefined || clusterIP === undefined || object.spec.type === 'ExternalName'
    return given ? object : { ...object, spec: { ...object.spec, clusterIP, clusterIPs } }
  }
  if ('status' in before && 'spec' in object) return { ...before, ...object } as KubeObject
  return object
}

/** A pod's specification cannot be changed while it lives; its labels can. */
function mergePod(object: Pod, before: Pod): Pod {
  const { nodeName = before.spec.nodeName } = object.spec
  const spec = { ...object.spec, ...(nodeName !== undefined && { nodeName }) }
  if (!sameJson(spec, before.spec)) {
    throw new ClusterError(
      'CLUSTER_INVALID',
      `${describeObject(object)}: it is running with another specification; delete ${objectKey(object)} first`,
    )
  }
  const { labels, annotations } = object.metadata
  return { ...before, metadata: { ...before.metadata, labels, annotations } }
}

function sameJson(a: object, b: object): boolean {
  const text = (value: object) => JSON.stringify(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
  return text(a) === text(b)
}
