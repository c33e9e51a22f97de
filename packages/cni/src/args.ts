import { CniError } from './error.ts'

/**
 * CNI_ARGS: `KEY=VALUE` pairs joined by `;` (SPEC 1.1.0, section 2). A value may hold `=`; of a key given twice the last
 * counts. Throws CNI_INVALID_ENVIRONMENT for a pair without a key or without `=`.
 */
export function parseArgs(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(';').filter((pair) => pair !== '')
  return Object.fromEntries(pairs.map(parsePair))
}

function parsePair(pair: string): readonly [string, string] {
  const equals = pair.indexOf('=')
  if (equals <= 0) {
    throw new CniError('CNI_INVALID_ENVIRONMENT', `CNI_ARGS ${JSON.stringify(pair)}: expected KEY=VALUE`)
  }
  return [pair.slice(0, equals), pair.slice(equals + 1)]
}

/** The inverse of `parseArgs`. Throws CNI_INVALID_ENVIRONMENT for what cannot be written so. */
export function formatArgs(args: Readonly<Record<string, string>>): string {
  return Object.entries(args).map(formatPair).join(';')
}

function formatPair([key, value]: readonly [string, string]): string {
  if (key === '' || /[=;]/.test(key) || value.includes(';')) {
    throw new CniError(
      'CNI_INVALID_ENVIRONMENT',
      `CNI_ARGS cannot carry ${JSON.stringify(key)}=${JSON.stringify(value)}: keys hold no '=' and neither holds ';'`,
    )
  }
  return `${key}=${value}`
}
