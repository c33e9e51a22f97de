import type { Condition } from '@podfabric/kube'

/** The conditions with one set. Its transition time moves only when its status changes. */
export function withCondition(
  conditions: readonly Condition[],
  condition: Condition,
  at: number,
): readonly Condition[] {
  const previous = conditions.find(({ type }) => type === condition.type)
  const same = previous?.status === condition.status
  const lastTransitionTime = (same && previous.lastTransitionTime) || new Date(at).toISOString()
  const next = { ...condition, lastTransitionTime }
  return previous
    ? conditions.map((row) => (row.type === condition.type ? next : row))
    : [...conditions, next]
}

export function hasCondition(conditions: readonly Condition[] | undefined, type: string): boolean {
  return conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false
}
