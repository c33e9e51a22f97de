import type { StatefulSet, StatefulSetSpec } from '../stateful-set.ts'
import { dnsLabel, namespacedMeta } from './metadata-shape.ts'
import { podTemplate } from './pod-shape.ts'
import { checkSelector, count, labelSelector } from './selector-shape.ts'
import { checked, fallback, mapped, object, oneOf, optional, required, type Shape, text } from './shape.ts'

interface WrittenUpdateStrategy {
  readonly type: 'RollingUpdate' | 'OnDelete'
  readonly rollingUpdate?: { readonly partition: number }
}

const updateStrategy: Shape<StatefulSetSpec['updateStrategy']> = mapped(
  object<WrittenUpdateStrategy>({
    type: fallback('RollingUpdate', oneOf('RollingUpdate', 'OnDelete')),
    rollingUpdate: optional(
      object<{ readonly partition: number }>(
        { partition: fallback(0, count) },
        { unsupported: ['maxUnavailable'] },
      ),
    ),
  }),
  ({ type, rollingUpdate }) =>
    type === 'OnDelete' ? { type } : { type, rollingUpdate: rollingUpdate ?? { partition: 0 } },
)

export const statefulSet = (namespace: string): Shape<StatefulSet> =>
  object<Omit<StatefulSet, 'status'>>(
    {
      apiVersion: required(oneOf('apps/v1')),
      kind: required(oneOf('StatefulSet')),
      // A pod's hostname is this name and a number, and a hostname is one label.
      metadata: required(namespacedMeta(dnsLabel, namespace)),
      spec: required(
        checked(
          object<StatefulSetSpec>(
            {
              replicas: fallback(1, count),
              selector: required(labelSelector),
              template: required(podTemplate),
              serviceName: fallback('', text()),
              podManagementPolicy: fallback('OrderedReady', oneOf('OrderedReady', 'Parallel')),
              updateStrategy: fallback(
                { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
                updateStrategy,
              ),
              minReadySeconds: fallback(0, count),
              ordinals: fallback(
                { start: 0 },
                object<{ readonly start: number }>({ start: fallback(0, count) }),
              ),
            },
            {
              ignored: [
                'volumeClaimTemplates',
                'persistentVolumeClaimRetentionPolicy',
                'revisionHistoryLimit',
              ],
            },
          ),
          checkSelector,
        ),
      ),
    },
    { ignored: ['status'] },
  )
