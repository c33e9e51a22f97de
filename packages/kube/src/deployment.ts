import type { Condition, NamespacedMeta } from './object-meta.ts'
import type { PodTemplate } from './pod.ts'
import type { LabelSelector } from './selector.ts'

/** A count of pods, or a percentage (`'25%'`) of the wished replicas. */
export type IntOrPercent = number | `${number}%`

export interface RollingUpdate {
  readonly type: 'RollingUpdate'
  /** Both default to 25 %; never both zero. */
  readonly rollingUpdate: { readonly maxSurge: IntOrPercent; readonly maxUnavailable: IntOrPercent }
}

export interface Recreate {
  readonly type: 'Recreate'
}

export interface DeploymentSpec {
  readonly replicas: number
  readonly selector: LabelSelector
  readonly template: PodTemplate
  readonly strategy: RollingUpdate | Recreate
  /** How long a new pod must have been ready before it counts as available. */
  readonly minReadySeconds: number
  readonly revisionHistoryLimit: number
  readonly progressDeadlineSeconds: number
  readonly paused: boolean
}

export interface DeploymentStatus {
  readonly observedGeneration: number
  readonly replicas: number
  readonly updatedReplicas: number
  readonly readyReplicas: number
  readonly availableReplicas: number
  readonly conditions: readonly Condition[]
}

export interface Deployment {
  readonly apiVersion: 'apps/v1'
  readonly kind: 'Deployment'
  readonly metadata: NamespacedMeta
  readonly spec: DeploymentSpec
  readonly status?: DeploymentStatus
}

/** The count that `value` stands for out of `total`: surges round up, unavailability rounds down, as Kubernetes does. */
export function podCount(value: IntOrPercent, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value
  const exact = (Number.parseInt(value, 10) * total) / 100
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact)
}
