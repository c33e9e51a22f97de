import { isReady, type Pod, type PodTemplate, type StatefulSet } from '@podfabric/kube'
import { availableFrom } from './availability.ts'
import type { ControlLoopPart, Later } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isOrphanOf, isOwnedBy, isTerminating, ownedBy } from './owned.ts'
import { deletePod } from './pod-deletion.ts'
import { podFrom, templateHash } from './pod-template.ts'
import type { ControllerOptions } from './replica-set-controller.ts'

/** The label by which a StatefulSet tells the pods of its templates apart. */
export const revisionLabel = 'controller-revision-hash'

/** One StatefulSet while it is looked at. */
interface Work {
  readonly set: StatefulSet
  /** Its pods by their numbers, ending ones included. */
  readonly pods: ReadonlyMap<number, Pod>
  /** What pods below an update's partition are made from. */
  readonly before: PodTemplate
  readonly table: ObjectTable
  readonly at: number
  readonly later: Later
  readonly problems: string[]
}

/**
 * Keeps each StatefulSet's pods `name-0`, `name-1`, …: made from the lowest number up and taken away from the highest
 * down, one after the other unless `podManagementPolicy` is Parallel. A name is never given to two pods at once. An update
 * replaces the pods from the highest number down to the partition, one after the other.
 */
export function statefulSetController({ table, now }: Omit<ControllerOptions, 'random'>): ControlLoopPart {
  const rolledOut = new Map<string, PodTemplate>()
  let problems: string[] = []
  return {
    name: 'stateful sets',
    sync(later) {
      problems = []
      const sets = table.list('StatefulSet').filter((set) => !isTerminating(set))
      const uids = new Set(sets.map(uidOf))
      for (const uid of rolledOut.keys()) if (!uids.has(uid)) rolledOut.delete(uid)
      for (const set of sets) {
        const pods = podsOf(set, table)
        const before = rolledOut.get(uidOf(set))
        const done = before === undefined || isRolledOut(set, pods)
        if (done) rolledOut.set(uidOf(set), set.spec.template)
        const work = {
          set,
          pods,
          before: done ? set.spec.template : before,
          table,
          at: now(),
          later,
          problems,
        }
        writeStatus(work)
        sync(work)
      }
    },
    problems: () => problems,
  }
}

function sync(work: Work): void {
  const { set, pods, table, at } = work
  const ordered = set.spec.podManagementPolicy === 'OrderedReady'
  const wanted = ordinalsOf(set)
  for (const ordinal of wanted) {
    const pod = pods.get(ordinal)
    if (pod && isFinished(pod)) deletePod(table, pod, at)
    if (!pod) createPod(ordinal, work)
    if (ordered && !isSettled(pod, work)) return
  }
  const surplus = [...pods.keys()].filter((ordinal) => !wanted.includes(ordinal)).sort((a, b) => b - a)
  for (const ordinal of surplus) {
    const pod = pods.get(ordinal)
    if (pod) deletePod(table, pod, at)
    if (ordered) return
  }
  update(work)
}

/** Replaces, from the highest number down, one pod that is not of the current template. */
function update(work: Work): void {
  const { set, pods, table, at } = work
  const { updateStrategy, template } = set.spec
  if (updateStrategy.type !== 'RollingUpdate') return
  const revision = templateHash(template)
  for (const [ordinal, pod] of [...pods].sort(([a], [b]) => b - a)) {
    if (ordinal < updateStrategy.rollingUpdate.partition || isTerminating(pod)) return
    if (pod.metadata.labels[revisionLabel] !== revision) {
      deletePod(table, pod, at)
      return
    }
    if (!isSettled(pod, work)) return
  }
}

/** Whether the next pod's turn has come: this one is there and available, and will stay. */
function isSettled(pod: Pod | undefined, { set, at, later }: Work): boolean {
  if (!pod || isTerminating(pod)) return false
  const moment = availableFrom(pod, set.spec.minReadySeconds)
  if (moment !== undefined && moment > at) later(moment)
  return moment !== undefined && moment <= at
}

function createPod(ordinal: number, { set, before, table, problems }: Work): void {
  const { namespace } = set.metadata
  const name = `${set.metadata.name}-${ordinal}`
  const owner = ownedBy(set)
  const taken = table.get('Pod', name, namespace)
  if (taken && isOrphanOf(taken, set.spec.selector) && !isTerminating(taken)) {
    const ownerReferences = [...taken.metadata.ownerReferences, owner]
    table.put({ ...taken, metadata: { ...taken.metadata, ownerReferences } })
    return
  }
  if (taken) {
    problems.push(
      `statefulset ${namespace}/${set.metadata.name}: pod ${name} is there already and is not its own`,
    )
    return
  }
  const { serviceName, template: current, updateStrategy } = set.spec
  const isBelow = updateStrategy.type === 'RollingUpdate' && ordinal < updateStrategy.rollingUpdate.partition
  const template = isBelow ? before : current
  const labels = {
    [revisionLabel]: templateHash(template),
    'statefulset.kubernetes.io/pod-name': name,
    'apps.kubernetes.io/pod-index': String(ordinal),
  }
  const pod = podFrom(template, { name, namespace, owner, labels })
  const subdomain = serviceName === '' ? {} : { subdomain: serviceName }
  table.put({ ...pod, spec: { ...pod.spec, hostname: name, ...subdomain } })
}

function podsOf(set: StatefulSet, table: ObjectTable): ReadonlyMap<number, Pod> {
  const own = table.list('Pod', set.metadata.namespace).filter((pod) => isOwnedBy(pod, set))
  return new Map(own.map((pod) => [Number(pod.metadata.name.slice(set.metadata.name.length + 1)), pod]))
}

function ordinalsOf({ spec }: StatefulSet): readonly number[] {
  return Array.from({ length: spec.replicas }, (_, i) => spec.ordinals.start + i)
}

/** Whether every pod is of the current template, and ready: what was before is history then. */
function isRolledOut(set: StatefulSet, pods: ReadonlyMap<number, Pod>): boolean {
  const revision = templateHash(set.spec.template)
  return ordinalsOf(set).every((ordinal) => {
    const pod = pods.get(ordinal)
    return pod !== undefined && isReady(pod) && pod.metadata.labels[revisionLabel] === revision
  })
}

const uidOf = ({ metadata }: StatefulSet) => metadata.uid ?? ''

function writeStatus({ set, pods, table }: Work): void {
  const revision = templateHash(set.spec.template)
  const living = [...pods.values()].filter((pod) => !isTerminating(pod))
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
