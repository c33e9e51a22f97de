import { CaseFailure } from '../failure.ts'
import { documentOf, type Exchange, errorOf, excerpt, outcomeOf } from './exchange.ts'

/** Assertions whose failures read as sentences. All of them throw `CaseFailure`. */
export interface Expectations {
  /** `expected` completes "expected …"; `seen` is shown as it is when text, else as JSON. */
  must(expected: string, holds: boolean, seen: unknown): void
  /** Nothing is in the list; what is there is what was seen. */
  none(expected: string, list: readonly string[]): void
  succeeded(exchange: Exchange): void
  /** It failed: an exit code other than 0. With `code`, with that error number too. */
  failed(exchange: Exchange, why: string, code?: number): void
}

function must(expected: string, holds: boolean, seen: unknown): asserts holds {
  if (!holds) throw new CaseFailure(expected, shown(seen))
}

export const expectations: Expectations = {
  must,
  none(expected, list) {
    must(expected, list.length === 0, list.slice(0, 12).join('\n'))
  },
  succeeded(exchange) {
    // An error object with exit code 0 is a failure too: nothing else has `code` and `msg`.
    const succeeded = exchange.exitCode === 0 && errorOf(exchange) === undefined
    must(`${exchange.command} to succeed`, succeeded, outcomeOf(exchange))
  },
  failed(exchange, why, code) {
    must(`${exchange.command} to fail: ${why}`, exchange.exitCode !== 0, outcomeOf(exchange))
    if (code === undefined) return
    const found = errorOf(exchange)?.code
    must(`${exchange.command} to fail with error ${code}: ${why}`, found === code, outcomeOf(exchange))
  },
}

export function hasSucceeded(exchange: Exchange): boolean {
  return exchange.exitCode === 0 && errorOf(exchange) === undefined
}

/** Exactly one JSON object on stdout and nothing else. */
export function oneDocument(exchange: Exchange) {
  const document = documentOf(exchange)
  must(`${exchange.command} to print one JSON object`, document !== undefined, outcomeOf(exchange))
  return document
}

function shown(seen: unknown): string {
  if (typeof seen === 'string') return seen === '' ? 'nothing' : seen
  return excerpt(JSON.stringify(seen) ?? String(seen), 1000)
}
