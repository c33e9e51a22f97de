import { matchesLabels, type Node, type Pod } from '@podfabric/kube'
import { hasCondition, withCondition } from './conditions.ts'
import type { ControlLoopPart } from './control-loop.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isTerminating } from './owned.ts'

/**
 * Places pods: on a node that is ready, not cordoned, without a taint that keeps pods away, and with the labels that the pod
 * selects; of those, the one with the fewest pods, and among equals the first by name. A pod that fits nowhere says why in
 * its PodScheduled condition.
 */
export function scheduler(table: ObjectTable, now: () => number): ControlLoopPart {
  return {
    name: 'scheduler',
    sync() {
      for (const pod of table.list('Pod')) {
        if (pod.spec.nodeName === undefined && !isTerminating(pod)) place(pod, table, now())
      }
    },
  }
}

function place(pod: Pod, table: ObjectTable, at: number): void {
  const nodes = table.list('Node')
  const reasons = nodes.map((node) => refusal(pod, node))
  const fitting = nodes.filter((_, i) => reasons[i] === undefined)
  const load = loads(table)
  const [best] = fitting.toSorted(
    (a, b) => (load.get(a.metadata.name) ?? 0) - (load.get(b.metadata.name) ?? 0),
  )
  const conditions = pod.status?.conditions ?? []
  const status = { ...(pod.status ?? { phase: 'Pending' as const, podIPs: [] }) }
  if (best) {
    const scheduled = withCondition(conditions, { type: 'PodScheduled', status: 'True' }, at)
    table.put({
      ...pod,
      spec: { ...pod.spec, nodeName: best.metadata.name },
      status: { ...status, conditions: scheduled },
    })
    return
  }
  const message = `0 of ${nodes.length} nodes fit: ${countReasons(reasons) || 'there is no node'}`
  const unscheduled = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const
  table.put({ ...pod, status: { ...status, conditions: withCondition(conditions, unscheduled, at) } })
}

function refusal(pod: Pod, node: Node): string | undefined {
  if (!hasCondition(node.status?.conditions, 'Ready')) return 'not ready'
  if (node.spec.unschedulable) return 'cordoned'
  if (node.spec.taints.some(({ effect }) => effect !== 'PreferNoSchedule')) return 'tainted'
  if (!matchesLabels(pod.spec.nodeSelector, node.metadata.labels)) return 'without the selected labels'
  return undefined
}

function loads(table: ObjectTable): ReadonlyMap<string, number> {
  const load = new Map<string, number>()
  for (const { spec } of table.list('Pod').filter((pod) => !isFinished(pod))) {
    if (spec.nodeName !== undefined) load.set(spec.nodeName, (load.get(spec.nodeName) ?? 0) + 1)
  }
  return load
}

function countReasons(reasons: readonly (string | undefined)[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ')
}
