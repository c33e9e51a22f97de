import { isReady, type Pod, type StatefulSet } from '@podfabric/kube'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isOwnedBy, isTerminating, ownedBy } from './owned.ts'
import { deletePod } from './pod-deletion.ts'
import { podFrom, templateHash } from './pod-template.ts'
import type { ControllerOptions } from './replica-set-controller.ts'

/** The label by which a StatefulSet tells the pods of its templates apart. */
export const revisionLabel = 'controller-revision-hash'

/**
 * Keeps each StatefulSet's pods `name-0`, `name-1`, …: made from the lowest number up and taken away from the highest
 * down, one after the other unless `podManagementPolicy` is Parallel. A name is never given to two pods at once.
 */
export function statefulSetController({ table, now }: Omit<ControllerOptions, 'random'>): ControlLoopPart {
  return {
    name: 'stateful sets',
    sync() {
      for (const set of table.list('StatefulSet')) if (!isTerminating(set)) sync(set, table, now)
    },
  }
}

function sync(set: StatefulSet, table: ObjectTable, now: () => number): void {
  const { replicas, podManagementPolicy, ordinals } = set.spec
  const ordered = podManagementPolicy === 'OrderedReady'
  const pods = podsOf(set, table)
  const wanted = Array.from({ length: replicas }, (_, i) => ordinals.start + i)
  writeStatus(set, [...pods.values()], table)

  for (const ordinal of wanted) {
    const pod = pods.get(ordinal)
    if (pod && isFinished(pod)) deletePod(table, pod, now())
    if (!pod) createPod(set, ordinal, table)
    if (ordered && !(pod && isReady(pod) && !isTerminating(pod))) return
  }
  const surplus = [...pods.keys()].filter((ordinal) => !wanted.includes(ordinal)).sort((a, b) => b - a)
  for (const ordinal of surplus) {
    const pod = pods.get(ordinal)
    if (pod) deletePod(table, pod, now())
    if (ordered) return
  }
  update(set, pods, table, now())
}

/** Replaces, from the highest number down, one pod that is not of the current template. */
function update({ spec }: StatefulSet, pods: ReadonlyMap<number, Pod>, table: ObjectTable, at: number): void {
  if (spec.updateStrategy.type !== 'RollingUpdate') return
  const { partition } = spec.updateStrategy.rollingUpdate
  const revision = templateHash(spec.template)
  for (const [ordinal, pod] of [...pods].sort(([a], [b]) => b - a)) {
    if (ordinal < partition) return
    if (isTerminating(pod)) return
    if (pod.metadata.labels[revisionLabel] !== revision) {
      deletePod(table, pod, at)
      return
    }
    if (!isReady(pod)) return
  }
}

function createPod(set: StatefulSet, ordinal: number, table: ObjectTable): void {
  const { namespace } = set.metadata
  const name = `${set.metadata.name}-${ordinal}`
  const { template, serviceName } = set.spec
  const labels = {
    [revisionLabel]: templateHash(template),
    'statefulset.kubernetes.io/pod-name': name,
    'apps.kubernetes.io/pod-index': String(ordinal),
  }
  const pod = podFrom(template, { name, namespace, owner: ownedBy(set), labels })
  const subdomain = serviceName === '' ? {} : { subdomain: serviceName }
  table.put({ ...pod, spec: { ...pod.spec, hostname: name, ...subdomain } })
}

function podsOf(set: StatefulSet, table: ObjectTable): ReadonlyMap<number, Pod> {
  const own = table.list('Pod', set.metadata.namespace).filter((pod) => isOwnedBy(pod, set))
  return new Map(own.map((pod) => [Number(pod.metadata.name.slice(set.metadata.name.length + 1)), pod]))
}

function writeStatus(set: StatefulSet, pods: readonly Pod[], table: ObjectTable): void {
  const revision = templateHash(set.spec.template)
  const living = pods.filter((pod) => !isTerminating(pod))
  table.put({
    ...set,
    status: {
      observedGeneration: set.metadata.generation ?? 0,
      replicas: living.length,
      readyReplicas: living.filter(isReady).length,
      updatedReplicas: living.filter(({ metadata }) => metadata.labels[revisionLabel] === revision).length,
    },
  })
}
