import type { Deployment, KubeObject, ReplicaSet, StatefulSet } from '@podfabric/kube'

/** What has a count of replicas. */
export type Scalable = Deployment | ReplicaSet | StatefulSet

/** The same with another count. */
export function scaled(object: Scalable, replicas: number): KubeObject {
  switch (object.kind) {
    case 'Deployment':
      return { ...object, spec: { ...object.spec, replicas } }
    case 'ReplicaSet':
      return { ...object, spec: { ...object.spec, replicas } }
    case 'StatefulSet':
      return { ...object, spec: { ...object.spec, replicas } }
  }
}

const restartedAt = 'kubectl.kubernetes.io/restartedAt'

/** As `kubectl rollout restart`: an annotation of the template, the moment of it, makes it another one, each time. */
export function restarted(object: Deployment | StatefulSet, at: number): KubeObject {
  const { template } = object.spec
  const before = Date.parse(template.metadata.annotations[restartedAt] ?? '') || 0
  const moment = new Date(Math.max(at, before + 1)).toISOString()
  const annotations = { ...template.metadata.annotations, [restartedAt]: moment }
  const next = { ...template, metadata: { ...template.metadata, annotations } }
  return object.kind === 'Deployment'
    ? { ...object, spec: { ...object.spec, template: next } }
    : { ...object, spec: { ...object.spec, template: next } }
}
