import type { ReplicaSet, ReplicaSetSpec } from '../replica-set.ts'
import { dnsSubdomain, namespacedMeta } from './metadata-shape.ts'
import { podTemplate } from './pod-shape.ts'
import { checkSelector, count, labelSelector } from './selector-shape.ts'
import { checked, fallback, object, oneOf, required, type Shape } from './shape.ts'

export const replicaSet = (namespace: string): Shape<ReplicaSet> =>
  object<Omit<ReplicaSet, 'status'>>(
    {
      apiVersion: required(oneOf('apps/v1')),
      kind: required(oneOf('ReplicaSet')),
      metadata: required(namespacedMeta(dnsSubdomain, namespace)),
      spec: required(
        checked(
          object<ReplicaSetSpec>({
            replicas: fallback(1, count),
            selector: required(labelSelector),
            template: required(podTemplate),
            minReadySeconds: fallback(0, count),
          }),
          checkSelector,
        ),
      ),
    },
    { ignored: ['status'] },
  )
