import type { Clock } from '@podfabric/kernel'
import type { Pod } from '@podfabric/kube'
import { hasCondition, withCondition } from './conditions.ts'
import type { ObjectTable } from './object-table.ts'
import { isFinished, isTerminating } from './owned.ts'

/** Kubernetes' defaults. */
export interface NodeTimes {
  /** Milliseconds between two signs of life of a node. Default 10 s. */
  readonly heartbeat: number
  /** Milliseconds without one after which the node is not ready, and its pods are not either. Default 40 s. */
  readonly grace: number
  /** Milliseconds after that until its pods are given up and replaced elsewhere. Default 300 s. */
  readonly eviction: number
}

export const defaultNodeTimes: NodeTimes = { heartbeat: 10_000, grace: 40_000, eviction: 300_000 }

export interface NodeLifecycle extends Disposable {
  /** A node gives a sign of life. */
  heard(name: string): void
  /** A node has left: no more is expected of it. */
  forget(name: string): void
}

/**
 * Notices nodes that fall silent. Their pods leave the services first; later they are given up, so that others take their
 * place elsewhere. Its timers are background timers.
 */
export function nodeLifecycle(table: ObjectTable, clock: Clock, times: NodeTimes): NodeLifecycle {
  const timers = new Map<string, Disposable>()

  function wait(name: string, delay: number, then: () => void) {
    timers.get(name)?.[Symbol.dispose]()
    timers.set(name, clock.after(delay, then, { background: true }))
  }

  function silent(name: string) {
    setReady(table, name, 'Unknown', clock.now())
    for (const pod of podsOn(table, name)) setPodNotReady(table, pod, clock.now())
    wait(name, times.eviction, () => giveUp(name))
  }

  /** Nobody on that node is left to end them. */
  function giveUp(name: string) {
    for (const { metadata } of podsOn(table, name)) table.remove('Pod', metadata.name, metadata.namespace)
  }

  return {
    heard(name) {
      setReady(table, name, 'True', clock.now())
      wait(name, times.grace, () => silent(name))
    },
    forget(name) {
      timers.get(name)?.[Symbol.dispose]()
      timers.delete(name)
    },
    [Symbol.dispose]() {
      for (const timer of timers.values()) timer[Symbol.dispose]()
      timers.clear()
    },
  }
}

export function podsOn(table: ObjectTable, node: string): readonly Pod[] {
  return table.list('Pod').filter(({ spec }) => spec.nodeName === node)
}

function setReady(table: ObjectTable, name: string, status: 'True' | 'Unknown', at: number): void {
  const node = table.get('Node', name)
  if (!node) return
  const conditions = node.status?.conditions ?? []
  if (status === 'True' && hasCondition(conditions, 'Ready')) return
  const reason = status === 'True' ? 'NodeReady' : 'NodeStatusUnknown'
  const message = status === 'True' ? 'the node reports' : 'the node has stopped reporting'
  table.put({
    ...node,
    status: {
      addresses: node.status?.addresses ?? [],
      conditions: withCondition(conditions, { type: 'Ready', status, reason, message }, at),
    },
  })
}

function setPodNotReady(table: ObjectTable, pod: Pod, at: number): void {
  if (!pod.status || isFinished(pod) || isTerminating(pod)) return
  const condition = { type: 'Ready', status: 'False', reason: 'NodeNotReady' } as const
  table.put({
    ...pod,
    status: { ...pod.status, conditions: withCondition(pod.status.conditions, condition, at) },
  })
}
