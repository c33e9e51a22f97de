import { matchesLabels, type Node, type Pod, type PodStatus } from '@podfabric/kube'
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
      const pods = table.list('Pod')
      const waiting = pods.filter((pod) => pod.spec.nodeName === undefined && !isTerminating(pod))
      if (waiting.length === 0) return
      const nodes = table.list('Node')
      const load = loads(pods)
      for (const pod of waiting) {
        const reasons = nodes.map((node) => refusal(pod, node))
        const [best] = nodes
          .filter((_, i) => reasons[i] === undefined)
          .toSorted((a, b) => loadOf(a, load) - loadOf(b, load))
        table.put(best ? placed(pod, best, now()) : unplaced(pod, reasons, now()))
        if (best) load.set(best.metadata.name, loadOf(best, load) + 1)
      }
    },
  }
}

const pending: PodStatus = { phase: 'Pending', podIPs: [], conditions: [] }

function placed(pod: Pod, { metadata }: Node, at: number): Pod {
  const status = pod.status ?? pending
  const conditions = withCondition(status.conditions, { type: 'PodScheduled', status: 'True' }, at)
  return { ...pod, spec: { ...pod.spec, nodeName: metadata.name }, status: { ...status, conditions } }
}

function unplaced(pod: Pod, reasons: readonly (string | undefined)[], at: number): Pod {
  const status = pod.status ?? pending
  const message = `0 of ${reasons.length} nodes fit: ${countReasons(reasons) || 'there is no node'}`
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const
  return { ...pod, status: { ...status, conditions: withCondition(status.conditions, condition, at) } }
}

function refusal(pod: Pod, node: Node): string | undefined {
  if (!hasCondition(node.status?.conditions, 'Ready')) return 'not ready'
  if (node.spec.unschedulable) return 'cordoned'
  if (node.spec.taints.some(({ effect }) => effect !== 'PreferNoSchedule')) return 'tainted'
  if (!matchesLabels(pod.spec.nodeSelector, node.metadata.labels)) return 'without the selected labels'
  return undefined
}

function loads(pods: readonly Pod[]): Map<string, number> {
  const load = new Map<string, number>()
  for (const { spec } of pods.filter((pod) => !isFinished(pod))) {
    if (spec.nodeName !== undefined) load.set(spec.nodeName, (load.get(spec.nodeName) ?? 0) + 1)
  }
  return load
}

const loadOf = ({ metadata }: Node, load: ReadonlyMap<string, number>) => load.get(metadata.name) ?? 0

function countReasons(reasons: readonly (string | undefined)[]): string {
  const counts = new Map<string, number>()
  for (const reason of reasons) if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  return [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ')
}
