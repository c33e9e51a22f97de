/**
 * Whether two plain values (texts, numbers, booleans, lists, objects) are equal. The order of keys means nothing, and a key
 * that is undefined counts as absent. Parts that both share cost nothing.
 */
export function sameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a).filter((key) => a[key] !== undefined)
  const count = Object.keys(b).reduce((sum, key) => sum + (b[key] === undefined ? 0 : 1), 0)
  return keys.length === count && keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key], b[key]))
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
