import type { NamespacedMeta } from './object-meta.ts'
import type { PodTemplate } from './pod.ts'
import type { LabelSelector } from './selector.ts'

export interface ReplicaSetSpec {
  readonly replicas: number
  readonly selector: LabelSelector
  readonly template: PodTemplate
  readonly minReadySeconds: number
}

export interface ReplicaSetStatus {
  readonly observedGeneration: number
  readonly replicas: number
  readonly readyReplicas: number
  readonly availableReplicas: number
}

export interface ReplicaSet {
  readonly apiVersion: 'apps/v1'
  readonly kind: 'ReplicaSet'
  readonly metadata: NamespacedMeta
  readonly spec: ReplicaSetSpec
  readonly status?: ReplicaSetStatus
}
