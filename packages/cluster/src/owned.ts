import type { KubeObject, LabelSelector, OwnerReference, Pod } from '@podfabric/kube'
import { matches } from '@podfabric/kube'

/** The reference by which an object says that `owner` made it and manages it. */
export function ownedBy(owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata
  if (uid === undefined) throw new TypeError(`${owner.kind} ${name} is not in the table yet`)
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true }
}

export function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
  return object.metadata.ownerReferences.some(
    ({ uid, controller }) => controller && uid === owner.metadata.uid,
  )
}

/** Whether nobody manages the pod and the selector matches: it is adopted then, as Kubernetes does. */
export function isOrphanOf(pod: Pod, selector: LabelSelector): boolean {
  return (
    !pod.metadata.ownerReferences.some(({ controller }) => controller) &&
    matches(selector, pod.metadata.labels)
  )
}

export function isTerminating(object: KubeObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** Whether the pod has ended and will not run again. */
export function isFinished({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}
