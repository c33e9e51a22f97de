import { type Deployment, podCount, type ReplicaSet } from '@podfabric/kube'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isOwnedBy, isTerminating, ownedBy } from './owned.ts'
import { templateHash } from './pod-template.ts'
import type { ControllerOptions } from './replica-set-controller.ts'

/** The label by which a Deployment tells the pods of its templates apart. */
export const templateHashLabel = 'pod-template-hash'

/**
 * Rolls each Deployment towards its template: one ReplicaSet for each template, the new one growing by at most
 * `maxSurge`, the old ones shrinking by at most `maxUnavailable` below the wished count.
 */
export function deploymentController({ table }: Pick<ControllerOptions, 'table'>): ControlLoopPart {
  return {
    name: 'deployments',
    sync() {
      for (const deployment of table.list('Deployment'))
        if (!isTerminating(deployment)) sync(deployment, table)
    },
  }
}

function sync(deployment: Deployment, table: ObjectTable): void {
  const sets = table
    .list('ReplicaSet', deployment.metadata.namespace)
    .filter((set) => isOwnedBy(set, deployment))
  const hash = templateHash(deployment.spec.template)
  const current =
    sets.find((set) => set.metadata.labels[templateHashLabel] === hash) ?? newSet(deployment, hash, table)
  const old = sets.filter((set) => set.metadata.name !== current.metadata.name)
  if (!deployment.spec.paused) {
    if (deployment.spec.strategy.type === 'Recreate') recreate(deployment, current, old, table)
    else roll(deployment, current, old, table)
  }
  forget(old, deployment.spec.revisionHistoryLimit, table)
  writeStatus(deployment, current, old, table)
}

function newSet(deployment: Deployment, hash: string, table: ObjectTable): ReplicaSet {
  const { name, namespace, annotations } = deployment.metadata
  const { selector, template, minReadySeconds } = deployment.spec
  const labels = { ...template.metadata.labels, [templateHashLabel]: hash }
  return table.put({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations,
      ownerReferences: [ownedBy(deployment)],
    },
    spec: {
      replicas: 0,
      minReadySeconds,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [templateHashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  })
}

function roll(
  { spec }: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  table: ObjectTable,
): void {
  if (spec.strategy.type !== 'RollingUpdate') return
  const { maxSurge, maxUnavailable } = spec.strategy.rollingUpdate
  const most = spec.replicas + podCount(maxSurge, spec.replicas, 'up')
  const least =
    spec.replicas - unavailable(spec.replicas, most, podCount(maxUnavailable, spec.replicas, 'down'))
  const total = sum([current, ...old], (set) => set.spec.replicas)
  const grown = Math.min(spec.replicas, current.spec.replicas + Math.max(0, most - total))
  scale(current, grown, table)

  let spare = Math.max(0, sum([current, ...old], availableOf) - least)
  for (const set of old) {
    const broken = set.spec.replicas - Math.min(set.spec.replicas, availableOf(set))
    const shrink = Math.min(set.spec.replicas, broken + spare)
    spare -= Math.max(0, shrink - broken)
    scale(set, set.spec.replicas - shrink, table)
  }
}

/** Both zero would never move: Kubernetes lets one pod be missing then. */
function unavailable(replicas: number, most: number, wished: number): number {
  return most === replicas && wished === 0 ? 1 : wished
}

function recreate(
  { spec }: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  table: ObjectTable,
): void {
  for (const set of old) scale(set, 0, table)
  const uids = new Set(old.map(({ metadata }) => metadata.uid))
  const left = table
    .list('Pod', current.metadata.namespace)
    .some(({ metadata }) => metadata.ownerReferences.some(({ uid }) => uids.has(uid)))
  if (!left) scale(current, spec.replicas, table)
}

function scale(set: ReplicaSet, replicas: number, table: ObjectTable): void {
  if (set.spec.replicas !== replicas) table.put({ ...set, spec: { ...set.spec, replicas } })
}

function forget(old: readonly ReplicaSet[], limit: number, table: ObjectTable): void {
  const empty = old.filter(({ spec, status }) => spec.replicas === 0 && (status?.replicas ?? 0) === 0)
  const byAge = empty.toSorted((a, b) => versionOf(a) - versionOf(b))
  for (const { metadata } of byAge.slice(0, Math.max(0, byAge.length - limit))) {
    table.remove('ReplicaSet', metadata.name, metadata.namespace)
  }
}

const versionOf = ({ metadata }: ReplicaSet) => Number(metadata.resourceVersion ?? 0)
const availableOf = ({ status }: ReplicaSet) => status?.availableReplicas ?? 0

function sum(sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + of(set), 0)
}

function writeStatus(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  table: ObjectTable,
): void {
  const sets = [current, ...old].map(
    (set) => table.get('ReplicaSet', set.metadata.name, set.metadata.namespace) ?? set,
  )
  const updated = sets.find(({ metadata }) => metadata.name === current.metadata.name)
  table.put({
    ...deployment,
    status: {
      observedGeneration: deployment.metadata.generation ?? 0,
      replicas: sum(sets, ({ status }) => status?.replicas ?? 0),
      updatedReplicas: updated?.status?.replicas ?? 0,
      readyReplicas: sum(sets, ({ status }) => status?.readyReplicas ?? 0),
      availableReplicas: sum(sets, availableOf),
      conditions: [],
    },
  })
}
