import { type KubeObject, type Namespace, objectKey, type Pod } from '@podfabric/kube'
import { contains, type Prefix } from '@podfabric/netaddr'
import { ClusterError } from './cluster-error.ts'
import { describeObject } from './describe-object.ts'
import type { ObjectTable } from './object-table.ts'
import { sameValue } from './same-value.ts'

/** What `apply` did with one object. */
export interface Applied {
  readonly object: KubeObject
  readonly outcome: 'created' | 'configured' | 'unchanged'
}

export interface ApplyOptions {
  /** Where addresses of services may come from. */
  readonly serviceRanges: readonly Prefix[]
}

/**
 * Puts objects, in order, as `kubectl apply` does: what the cluster wrote itself (status, addresses, placement, owners) is kept.
 * All are checked before the first is put: CLUSTER_INVALID, and nothing is changed, for an object in a namespace that is not
 * there or not in the list, a Node, a part that cannot change while the object lives (a pod's specification, a
 * selector), and a service address that is taken or outside the cluster's ranges.
 */
export function apply(
  table: ObjectTable,
  objects: readonly KubeObject[],
  options: ApplyOptions,
): readonly Applied[] {
  const namespaces = new Set(
    [...table.list('Namespace'), ...objects.filter(isNamespace)].map(({ metadata }) => metadata.name),
  )
  const planned = new Map<string, KubeObject>()
  const merged = objects.map((object) => {
    const key = objectKey(object)
    const next = merge(object, planned.get(key) ?? existing(table, object))
    check(next, namespaces)
    checkAddresses(next, [...table.list('Service'), ...planned.values()], options.serviceRanges)
    planned.set(key, next)
    return next
  })
  return merged.map((object) => {
    const before = existing(table, object)
    const after = table.put(object)
    const outcome = before === undefined ? 'created' : before === after ? 'unchanged' : 'configured'
    return { object: after, outcome }
  })
}

const isNamespace = (object: KubeObject): object is Namespace => object.kind === 'Namespace'

function existing(table: ObjectTable, object: KubeObject): KubeObject | undefined {
  const namespace = 'namespace' in object.metadata ? object.metadata.namespace : undefined
  return table.get(object.kind, object.metadata.name, namespace)
}

function check(object: KubeObject, namespaces: ReadonlySet<string>): void {
  if (object.kind === 'Node') {
    throw invalid(object, 'nodes join by themselves; leave it out, and add a node instead')
  }
  if (object.kind === 'Namespace' || namespaces.has(object.metadata.namespace)) return
  const { namespace } = object.metadata
  throw invalid(object, `there is no namespace ${namespace}; apply a Namespace of that name with it`)
}

function checkAddresses(object: KubeObject, others: readonly KubeObject[], ranges: readonly Prefix[]): void {
  if (object.kind !== 'Service') return
  for (const address of object.spec.clusterIPs) {
    if (!ranges.some((range) => contains(range, address))) {
      throw invalid(
        object,
        `clusterIP ${address} is not in ${ranges.join(' or ') || 'any range: there is none'}`,
      )
    }
    const owner = others.find(
      (other) =>
        other.kind === 'Service' &&
        objectKey(other) !== objectKey(object) &&
        other.spec.clusterIPs.includes(address),
    )
    if (owner) throw invalid(object, `clusterIP ${address} belongs to ${describeObject(owner)}`)
  }
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
  if (
    (object.kind === 'Deployment' && before.kind === 'Deployment') ||
    (object.kind === 'ReplicaSet' && before.kind === 'ReplicaSet') ||
    (object.kind === 'StatefulSet' && before.kind === 'StatefulSet')
  ) {
    if (!sameValue(object.spec.selector, before.spec.selector)) throw unchangeable(object, 'its selector')
    if (
      object.kind === 'StatefulSet' &&
      before.kind === 'StatefulSet' &&
      object.spec.serviceName !== before.spec.serviceName
    ) {
      throw unchangeable(object, 'its serviceName')
    }
    const { ownerReferences } = object.metadata.ownerReferences.length > 0 ? object.metadata : before.metadata
    // Both are of the same kind: the status is that kind's own.
    return { ...before, ...object, metadata: { ...object.metadata, ownerReferences } } as KubeObject
  }
  return object
}

/** A pod's specification cannot be changed while it lives; its labels and annotations can. */
function mergePod(object: Pod, before: Pod): Pod {
  const { nodeName = before.spec.nodeName } = object.spec
  const spec = { ...object.spec, ...(nodeName !== undefined && { nodeName }) }
  if (!sameValue(spec, before.spec)) throw unchangeable(object, 'its specification')
  const { labels, annotations } = object.metadata
  return { ...before, metadata: { ...before.metadata, labels, annotations } }
}

function unchangeable(object: KubeObject, part: string): ClusterError {
  return invalid(object, `${part} cannot change while it is there; delete it first`)
}

function invalid(object: KubeObject, reason: string): ClusterError {
  return new ClusterError('CLUSTER_INVALID', `${describeObject(object)}: ${reason}`)
}
