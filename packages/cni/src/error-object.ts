import { CniError, type CniErrorCode, cniErrorNumbers } from './error.ts'
import type { Json, JsonObject } from './json.ts'
import { isJsonObject } from './parse-json.ts'

/** The error as SPEC 1.1.0 ("Error") prints it. `cniVersion` is that of the request, or the newest when it is not known. */
export function formatError(error: CniError, cniVersion: string): JsonObject {
  return {
    cniVersion,
    code: error.number,
    msg: error.message,
    details: error.details ?? '',
  }
}

const codeByNumber = new Map<number, CniErrorCode>(
  // The table's own keys: Object.entries forgets their type.
  (Object.entries(cniErrorNumbers) as readonly [CniErrorCode, number][]).map(([code, number]) => [
    number,
    code,
  ]),
)

/**
 * The error that a plugin printed, or undefined when the document is none (it has no whole number as `code`, or no `msg`).
 * Numbers that are not in our table are CNI_PLUGIN_FAILED; `number` always is what the plugin gave. From 100 on numbers
 * are each plugin's own: those of ours are read as ours.
 */
export function parseError(value: Json | undefined): CniError | undefined {
  if (!isJsonObject(value)) return undefined
  const { code: number, msg, details } = value
  if (typeof number !== 'number' || !Number.isInteger(number) || typeof msg !== 'string') return undefined
  return new CniError(codeByNumber.get(number) ?? 'CNI_PLUGIN_FAILED', msg, {
    number,
    details: typeof details === 'string' && details !== '' ? details : undefined,
  })
}
