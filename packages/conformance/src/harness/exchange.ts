import type { JsonObject } from '@podfabric/cni'
import { isJsonObject, type Json, parseJson } from '@podfabric/cni'

export type Verb = 'ADD' | 'CHECK' | 'DEL' | 'GC' | 'STATUS' | 'VERSION'

/** One call of a plugin: what was sent, and what came back. */
export interface Exchange {
  readonly node: string
  readonly plugin: string
  readonly command: Verb
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
}

/** The one document on stdout, where there is exactly one and it is an object. */
export function documentOf({ stdout }: Exchange): JsonObject | undefined {
  let value: Json
  try {
    value = parseJson(stdout)
  } catch {
    // Not one JSON document: what it is instead is the asker's to say.
    return undefined
  }
  return isJsonObject(value) ? value : undefined
}

/** The error object on stdout, where there is one. */
export function errorOf(exchange: Exchange): { readonly code: number; readonly msg: string } | undefined {
  const document = documentOf(exchange)
  if (document === undefined) return undefined
  const { code, msg } = document
  return typeof code === 'number' && typeof msg === 'string' ? { code, msg } : undefined
}

/** In one line: `exit code 1, error 4 "CNI_NETNS is missing"`. */
export function outcomeOf(exchange: Exchange): string {
  const error = errorOf(exchange)
  if (error !== undefined)
    return `exit code ${exchange.exitCode}, error ${error.code} ${JSON.stringify(error.msg)}`
  const printed = exchange.stdout.trim()
  return `exit code ${exchange.exitCode}, ${printed === '' ? 'nothing on stdout' : `stdout ${excerpt(printed)}`}`
}

/** As a person would have typed it, and what came of it. */
export function formatExchange(exchange: Exchange): string {
  const { node, plugin, env, stdin, stdout, stderr, exitCode } = exchange
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quote(value)}`)
  const lines = [
    `${node}$ ${[...variables, plugin].join(' ')} <<< ${quote(stdin)}`,
    ...(stdout.trim() === '' ? [] : [`  stdout ${stdout.trimEnd()}`]),
    ...(stderr.trim() === '' ? [] : [`  stderr ${stderr.trimEnd()}`]),
    `  exit code ${exitCode}`,
  ]
  return lines.join('\n')
}

export function excerpt(text: string, length = 300): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`
}

function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
