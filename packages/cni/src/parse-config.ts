import * as v from 'valibot'
import { CniError } from './error.ts'
import type { Json } from './json.ts'
import { excerpt } from './json-reader.ts'
import { isRawNumber, keyPath } from './parse-json.ts'

/**
 * A plugin's own keys, as its valibot schema reads them. Throws CNI_INVALID_NETWORK_CONFIG naming the key, its value and
 * what was expected: `ipam.ranges[0][0].subnet: expected a prefix like …, found "10.0.0/24"`; every such place is in the details.
 * `path` is where the value stands in the configuration, where it is not the whole.
 */
export function parseConfig<const Schema extends v.GenericSchema>(
  schema: Schema,
  config: Json | object | undefined,
  path = '',
): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, config)
  if (parsed.success) return parsed.output
  const [first, ...others] = parsed.issues.map((issue) => explain(issue, path))
  throw new CniError('CNI_INVALID_NETWORK_CONFIG', first ?? 'the configuration is wrong', {
    cause: new v.ValiError(parsed.issues),
    details: others.length === 0 ? undefined : others.join('; '),
  })
}

/**
 * Throws CNI_UNSUPPORTED_FIELD, naming key and value, for the first of the keys that asks for something: one that is missing,
 * null, false, 0 or empty asks for nothing.
 */
export function refuseKeys(config: object, keys: Readonly<Record<string, string>>, path = ''): void {
  for (const [key, reason] of Object.entries(keys)) {
    const value: unknown = Object.hasOwn(config, key) ? config[key as keyof typeof config] : undefined
    if (isNothing(value)) continue
    throw new CniError(
      'CNI_UNSUPPORTED_FIELD',
      `${keyPath(path, key)}: ${excerpt(value)} is not supported: ${reason}`,
    )
  }
}

function explain(issue: v.BaseIssue<unknown>, path: string): string {
  const steps = (issue.path ?? []).map((step): unknown => ('key' in step ? step.key : undefined))
  const at = steps.reduce<string>(
    (parent, key) => keyPath(parent, typeof key === 'number' ? key : String(key)),
    path,
  )
  const place = at || 'the configuration'
  if (issue.input === undefined)
    return `${place}: it is missing${issue.expected ? `; expected ${issue.expected}` : ''}`
  if (issue.kind === 'schema' && issue.expected)
    return `${place}: expected ${issue.expected}, found ${shown(issue.input)}`
  return `${place}: ${issue.message}`
}

function shown(value: unknown): string {
  return isRawNumber(value as Json) ? `${excerpt(value)}, which is beyond 2^53` : excerpt(value)
}

function isNothing(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === '') return true
  return typeof value === 'object' && !isRawNumber(value as Json) && Object.keys(value).length === 0
}
