import type { NamespacedMeta } from './object-meta.ts'
import type { PodTemplate } from './pod.ts'
import type { LabelSelector } from './selector.ts'

export interface StatefulSetSpec {
  readonly replicas: number
  readonly selector: LabelSelector
  readonly template: PodTemplate
  /** The headless service that gives its pods their names. Empty when the manifest names none. */
  readonly serviceName: string
  readonly podManagementPolicy: 'OrderedReady' | 'Parallel'
  /** `partition` is the lowest ordinal that an update touches. */
  readonly updateStrategy:
    | { readonly type: 'RollingUpdate'; readonly rollingUpdate: { readonly partition: number } }
    | { readonly type: 'OnDelete' }
  readonly minReadySeconds: number
  /** Number of the first pod. */
  readonly ordinals: { readonly start: number }
}

export interface StatefulSetStatus {
  readonly observedGeneration: number
  readonly replicas: number
  readonly readyReplicas: number
  readonly updatedReplicas: number
}

export interface StatefulSet {
  readonly apiVersion: 'apps/v1'
  readonly kind: 'StatefulSet'
  readonly metadata: NamespacedMeta
  readonly spec: StatefulSetSpec
  readonly status?: StatefulSetStatus
}
