import type { Deployment, DeploymentSpec, IntOrPercent, RollingUpdate } from '../deployment.ts'
import { dnsSubdomain, namespacedMeta } from './metadata-shape.ts'
import { podTemplate } from './pod-shape.ts'
import { checkSelector, count, labelSelector } from './selector-shape.ts'
import {
  boolean,
  checked,
  fallback,
  mapped,
  numberOr,
  object,
  oneOf,
  optional,
  parsed,
  required,
  type Shape,
} from './shape.ts'

const intOrPercent: Shape<IntOrPercent> = numberOr(
  count,
  parsed('a percentage such as "25%"', (written) => {
    if (!/^(\d|[1-9]\d|100)%$/.test(written)) throw new RangeError('not a percentage from 0% to 100%')
    return written as `${number}%`
  }),
)

interface WrittenStrategy {
  readonly type: 'RollingUpdate' | 'Recreate'
  readonly rollingUpdate?: RollingUpdate['rollingUpdate']
}

const deploymentStrategy: Shape<DeploymentSpec['strategy']> = mapped(
  checked(
    object<WrittenStrategy>({
      type: fallback('RollingUpdate', oneOf('RollingUpdate', 'Recreate')),
      rollingUpdate: optional(
        object<RollingUpdate['rollingUpdate']>({
          maxSurge: fallback('25%', intOrPercent),
          maxUnavailable: fallback('25%', intOrPercent),
        }),
      ),
    }),
    ({ type, rollingUpdate }, complain) => {
      if (type === 'Recreate' && rollingUpdate)
        complain(['rollingUpdate'], 'expected nothing with type Recreate')
      if (rollingUpdate && isZero(rollingUpdate.maxSurge) && isZero(rollingUpdate.maxUnavailable)) {
        complain(
          ['rollingUpdate', 'maxUnavailable'],
          'expected more than 0 when maxSurge is 0: no pod could ever be replaced',
        )
      }
    },
  ),
  ({ type, rollingUpdate }) =>
    type === 'Recreate'
      ? { type }
      : { type, rollingUpdate: rollingUpdate ?? { maxSurge: '25%', maxUnavailable: '25%' } },
)

const defaultStrategy: RollingUpdate = {
  type: 'RollingUpdate',
  rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' },
}

export const deployment = (namespace: string): Shape<Deployment> =>
  object<Omit<Deployment, 'status'>>(
    {
      apiVersion: required(oneOf('apps/v1')),
      kind: required(oneOf('Deployment')),
      metadata: required(namespacedMeta(dnsSubdomain, namespace)),
      spec: required(
        checked(
          object<DeploymentSpec>({
            replicas: fallback(1, count),
            selector: required(labelSelector),
            template: required(podTemplate),
            strategy: fallback(defaultStrategy, deploymentStrategy),
            minReadySeconds: fallback(0, count),
            revisionHistoryLimit: fallback(10, count),
            progressDeadlineSeconds: fallback(600, count),
            paused: fallback(false, boolean),
          }),
          checkSelector,
        ),
      ),
    },
    { ignored: ['status'] },
  )

function isZero(value: IntOrPercent): boolean {
  return value === 0 || value === '0%'
}
