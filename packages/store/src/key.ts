import { StoreError } from './store-error.ts'

/** Longest key, in characters (which are octets: keys are ASCII). */
export const maxKeyLength = 512

const segments = /^[!-.0-~]+(?:\/[!-.0-~]+)*$/
const dots = /(?:^|\/)\.{1,2}(?:\/|$)/

/**
 * A key: one or more segments joined by `/`; each of one or more printable ASCII characters other than `/` and the space,
 * and not `.` or `..`; `maxKeyLength` characters in all. Returns it, or throws STORE_INVALID_KEY.
 */
export function parseKey(key: string): string {
  if (typeof key !== 'string' || key.length > maxKeyLength || !segments.test(key) || dots.test(key)) {
    throw new StoreError('STORE_INVALID_KEY', `invalid key ${quote(key)}: ${rule}`)
  }
  return key
}

/** A prefix: empty, or a key followed by `/`. Returns it, or throws STORE_INVALID_KEY. */
export function parsePrefix(prefix: string): string {
  if (prefix === '') return prefix
  if (typeof prefix !== 'string' || !prefix.endsWith('/')) {
    throw new StoreError('STORE_INVALID_KEY', `invalid prefix ${quote(prefix)}: must be empty or end in '/'`)
  }
  parseKey(prefix.slice(0, -1))
  return prefix
}

const rule =
  `must be segments of printable ASCII joined by '/', none empty, '.' or '..', ` +
  `at most ${maxKeyLength} characters in all`

function quote(text: unknown): string {
  const quoted = JSON.stringify(text) ?? String(text)
  return quoted.length > 80 ? `${quoted.slice(0, 80)}…` : quoted
}
