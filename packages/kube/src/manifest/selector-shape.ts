import { isLabelKey } from '../names.ts'
import type { Labels } from '../object-meta.ts'
import { type LabelRequirement, type LabelSelector, matches } from '../selector.ts'
import { labels } from './metadata-shape.ts'
import {
  type Complain,
  checked,
  fallback,
  integer,
  list,
  mapped,
  object,
  oneOf,
  optional,
  required,
  type Shape,
  text,
} from './shape.ts'

/** A count of pods or seconds. */
export const count = integer(0, 2 ** 31 - 1)

interface WrittenRequirement {
  readonly key: string
  readonly operator: LabelRequirement['operator']
  readonly values: readonly string[]
}

const requirement: Shape<LabelRequirement> = mapped(
  checked(
    object<WrittenRequirement>({
      key: required(text('a label key such as app or example.com/app', isLabelKey)),
      operator: required(oneOf('In', 'NotIn', 'Exists', 'DoesNotExist')),
      values: fallback([], list(text())),
    }),
    ({ operator, values }, complain) => {
      const takesValues = operator === 'In' || operator === 'NotIn'
      if (takesValues && values.length === 0)
        complain(['values'], `expected at least one value for ${operator}`)
      if (!takesValues && values.length > 0) complain(['values'], `expected no values for ${operator}`)
    },
  ),
  ({ key, operator, values }): LabelRequirement =>
    operator === 'In' || operator === 'NotIn' ? { key, operator, values } : { key, operator },
)

export const labelSelector: Shape<LabelSelector> = object<LabelSelector>({
  matchLabels: optional(labels),
  matchExpressions: optional(list(requirement)),
})

/** What a workload's selector must be: not empty, and true for the pods that the workload makes. */
export function checkSelector(
  spec: { selector: LabelSelector; template: { metadata: { labels: Labels } } },
  complain: Complain,
): void {
  const { matchLabels = {}, matchExpressions = [] } = spec.selector
  if (Object.keys(matchLabels).length === 0 && matchExpressions.length === 0) {
    complain(['selector'], 'expected at least one label: an empty selector would claim every pod')
  } else if (!matches(spec.selector, spec.template.metadata.labels)) {
    complain(['template', 'metadata', 'labels'], 'expected labels that spec.selector matches')
  }
}
