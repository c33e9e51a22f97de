import { type Deployment, podCount, type ReplicaSet, type RollingUpdate } from '@podfabric/kube'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isOwnedBy, isTerminating, ownedBy } from './owned.ts'
import { templateHash } from './pod-template.ts'

/** The label by which a Deployment tells the pods of its templates apart. */
export const templateHashLabel = 'pod-template-hash'

/**
 * Rolls each Deployment towards its template: one ReplicaSet for each template, the new one growing while there are no more than
 * `maxSurge` pods above the wished count, the old ones shrinking while no more than `maxUnavailable` below it are available.
 * A paused one is only scaled, and only between rollouts.
 */
export function deploymentController(table: ObjectTable): ControlLoopPart {
  return {
    name: 'deployments',
    sync() {
      for (const deployment of table.list('Deployment'))
        if (!isTerminating(deployment)) sync(deployment, table)
    },
  }
}

function sync(deployment: Deployment, table: ObjectTable): void {
  const { spec, metadata } = deployment
  const sets = table.list('ReplicaSet', metadata.namespace).filter((set) => isOwnedBy(set, deployment))
  const name = `${metadata.name}-${templateHash(spec.template)}`
  const found = sets.find((set) => set.metadata.name === name)
  const old = sets.filter((set) => set !== found)
  if (spec.paused) {
    scalePaused(deployment, sets, table)
  } else {
    const current = found ?? newSet(deployment, name, table)
    if (spec.strategy.type === 'Recreate') recreate(deployment, current, old, table)
    else roll(deployment, current, old, table)
  }
  forget(old, spec.revisionHistoryLimit, table)
  writeStatus(deployment, name, table)
}

function newSet(deployment: Deployment, name: string, table: ObjectTable): ReplicaSet {
  const { namespace, annotations } = deployment.metadata
  const { selector, template, minReadySeconds } = deployment.spec
  const mark = { [templateHashLabel]: templateHash(template) }
  const labels = { ...template.metadata.labels, ...mark }
  return table.put({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name, namespace, labels, annotations, ownerReferences: [ownedBy(deployment)] },
    spec: {
      replicas: 0,
      minReadySeconds,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, ...mark } },
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
  const { most, least } = limits(spec.replicas, spec.strategy.rollingUpdate)
  const total = sum([current, ...old], (set) => set.spec.replicas)
  const grown = Math.min(spec.replicas, current.spec.replicas + Math.max(0, most - total))
  scale({ ...current, spec: { ...current.spec, minReadySeconds: spec.minReadySeconds } }, grown, table)

  let spare = Math.max(0, sum([current, ...old], availableOf) - least)
  for (const set of old) {
    const broken = set.spec.replicas - Math.min(set.spec.replicas, availableOf(set))
    const shrink = Math.min(set.spec.replicas, broken + spare)
    spare -= Math.max(0, shrink - broken)
    scale(set, set.spec.replicas - shrink, table)
  }
}

/** How many pods there may be at most, and how many must be available. */
function limits(
  replicas: number,
  { maxSurge, maxUnavailable }: RollingUpdate['rollingUpdate'],
): { readonly most: number; readonly least: number } {
  const surge = podCount(maxSurge, replicas, 'up')
  const unavailable = podCount(maxUnavailable, replicas, 'down')
  // Both zero would never move: Kubernetes lets one pod be missing then.
  return { most: replicas + surge, least: replicas - (surge === 0 && unavailable === 0 ? 1 : unavailable) }
}

function recreate(
  { spec }: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  table: ObjectTable,
): void {
  for (const set of old) scale(set, 0, table)
  if (!old.some((set) => hasPods(set, table))) scale(current, spec.replicas, table)
}

/** Between rollouts one set has all the pods, and follows the wished count; in the middle of one everything stays. */
function scalePaused({ spec }: Deployment, sets: readonly ReplicaSet[], table: ObjectTable): void {
  const [only, ...more] = sets.filter((set) => set.spec.replicas > 0)
  if (only && more.length === 0) scale(only, spec.replicas, table)
}

function scale(set: ReplicaSet, replicas: number, table: ObjectTable): void {
  table.put({ ...set, spec: { ...set.spec, replicas } })
}

/** Of the old sets without pods, those that changed last are kept to go back to. */
function forget(old: readonly ReplicaSet[], limit: number, table: ObjectTable): void {
  const empty = old.filter((set) => set.spec.replicas === 0 && !hasPods(set, table))
  const byAge = empty.toSorted((a, b) => versionOf(a) - versionOf(b))
  for (const { metadata } of byAge.slice(0, Math.max(0, byAge.length - limit))) {
    table.remove('ReplicaSet', metadata.name, metadata.namespace)
  }
}

/** Whether any is left, ending ones included. */
function hasPods(set: ReplicaSet, table: ObjectTable): boolean {
  return table.list('Pod', set.metadata.namespace).some((pod) => isOwnedBy(pod, set))
}

const versionOf = ({ metadata }: ReplicaSet) => Number(metadata.resourceVersion ?? 0)
const availableOf = ({ status }: ReplicaSet) => status?.availableReplicas ?? 0

function sum(sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number {
  return sets.reduce((total, set) => total + of(set), 0)
}

function writeStatus(deployment: Deployment, current: string, table: ObjectTable): void {
  const sets = table
    .list('ReplicaSet', deployment.metadata.namespace)
    .filter((set) => isOwnedBy(set, deployment))
  table.put({
    ...deployment,
    status: {
      observedGeneration: deployment.metadata.generation ?? 0,
      replicas: sum(sets, ({ status }) => status?.replicas ?? 0),
      updatedReplicas: sets.find(({ metadata }) => metadata.name === current)?.status?.replicas ?? 0,
      readyReplicas: sum(sets, ({ status }) => status?.readyReplicas ?? 0),
      availableReplicas: sum(sets, availableOf),
      conditions: [],
    },
  })
}
