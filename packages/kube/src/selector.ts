import type { Labels } from './object-meta.ts'

export type LabelRequirement =
  | { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: readonly string[] }
  | { readonly key: string; readonly operator: 'Exists' | 'DoesNotExist' }

/** A label selector: every entry of both parts must hold. With neither, it selects everything. */
export interface LabelSelector {
  readonly matchLabels?: Labels
  readonly matchExpressions?: readonly LabelRequirement[]
}

/**
 * Whether `labels` satisfy `selector`. The empty selector matches everything; `NotIn` and `DoesNotExist` also match
 * an object without the label.
 */
export function matches(selector: LabelSelector, labels: Labels): boolean {
  return (
    matchesLabels(selector.matchLabels ?? {}, labels) &&
    (selector.matchExpressions ?? []).every((requirement) => satisfies(requirement, labels))
  )
}

/** Whether `labels` hold every pair of `wanted`: the selector of a Service, a node selector. */
export function matchesLabels(wanted: Labels, labels: Labels): boolean {
  return Object.entries(wanted).every(([key, value]) => labelOf(labels, key) === value)
}

function satisfies(requirement: LabelRequirement, labels: Labels): boolean {
  const value = labelOf(labels, requirement.key)
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && requirement.values.includes(value)
    case 'NotIn':
      return value === undefined || !requirement.values.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
  }
}

/** Own properties only: a label may be called `constructor`. */
function labelOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined
}
