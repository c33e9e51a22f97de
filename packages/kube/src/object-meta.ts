/** Labels or a node selector: plain key/value pairs, as Kubernetes writes them. */
export type Labels = Readonly<Record<string, string>>

/** The object that made this one and whose deletion deletes it. */
export interface OwnerReference {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly uid: string
  /** True on the one owner that manages the object (a ReplicaSet's pods, a Deployment's ReplicaSets). */
  readonly controller: boolean
}

/**
 * What every object carries. `labels`, `annotations` and `ownerReferences` are empty when the manifest has none.
 * Fields that an API server writes (`uid`, `generation`, the times as RFC 3339 text) are absent until something sets them.
 */
export interface ObjectMeta {
  readonly name: string
  readonly labels: Labels
  readonly annotations: Labels
  readonly ownerReferences: readonly OwnerReference[]
  readonly uid?: string
  readonly generation?: number
  readonly resourceVersion?: string
  readonly creationTimestamp?: string
  readonly deletionTimestamp?: string
}

/** Metadata of an object that lives in a namespace; `default` when the manifest names none. */
export interface NamespacedMeta extends ObjectMeta {
  readonly namespace: string
}

/** Metadata of a pod template: a pod made from it gets its own name. */
export interface TemplateMeta {
  readonly labels: Labels
  readonly annotations: Labels
}

/** One observation about an object, as in `status.conditions`. */
export interface Condition {
  readonly type: string
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason?: string
  readonly message?: string
  readonly lastTransitionTime?: string
}
