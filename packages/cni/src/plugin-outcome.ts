import { CniError } from './error.ts'
import { parseError } from './error-object.ts'
import type { ExecOutcome } from './exec.ts'
import type { Json } from './json.ts'
import { excerpt } from './json-reader.ts'
import { parseJson } from './parse-json.ts'
import { type ParsedResult, parseResult } from './parse-result.ts'
import type { CniVersion } from './version.ts'

/**
 * Throws what a plugin that was run failed with: its own error where it printed one, with its number; else
 * CNI_PLUGIN_FAILED with what it said instead. `doing` leads the message: `bridge ADD`.
 */
export function throwIfFailed(outcome: ExecOutcome, doing: string): void {
  const printed = errorIn(outcome.stdout)
  // An error object with exit code 0 is a failure too: nothing else has both `code` and `msg`.
  if (outcome.exitCode === 0 && printed === undefined) return
  if (printed !== undefined) {
    throw new CniError(printed.code, `${doing}: ${printed.message}`, {
      cause: printed,
      number: printed.number,
      details: printed.details,
    })
  }
  const said = outcome.stdout.trim() || outcome.stderr.trim()
  throw new CniError(
    'CNI_PLUGIN_FAILED',
    `${doing}: it ended with exit code ${outcome.exitCode} and no error object`,
    {
      details: said === '' ? undefined : `it printed ${excerpt(said)}`,
    },
  )
}

/** The result that a plugin printed. Throws as `throwIfFailed`, and CNI_DECODING_FAILURE when it is none. */
export function resultOf(outcome: ExecOutcome, version: CniVersion, doing: string): ParsedResult {
  throwIfFailed(outcome, doing)
  const what = `${doing}: its result`
  const value = parseJson(outcome.stdout, { what })
  return parseResult(value, { version, path: '' })
}

function errorIn(stdout: string): CniError | undefined {
  let value: Json
  try {
    value = parseJson(stdout)
  } catch {
    // Not JSON, so not an error object; what it is, is the caller's question.
    return undefined
  }
  return parseError(value)
}
