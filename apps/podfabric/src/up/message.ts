/** A command handed to the cluster that is up: the words after `podfabric`, and the folder that paths are relative to. */
export interface Request {
  readonly words: readonly string[]
  readonly folder: string
}

/** What the cluster says to it, one JSON document a line; `exit` is the last. */
export type Reply =
  | { readonly line: string }
  | { readonly note: string }
  /** Octets of a capture file, base64. */
  | { readonly data: string }
  | { readonly exit: number }

export function parseRequest(text: string): Request {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new TypeError('a request is an object')
  const { words, folder } = { words: undefined, folder: undefined, ...value } as Record<string, unknown>
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string'))
    throw new TypeError('a request has words')
  if (typeof folder !== 'string') throw new TypeError('a request has a folder')
  return { words, folder }
}

/** What a background process said over its channel, if it is one of these. */
export function parseReply(value: unknown): Reply {
  if (typeof value === 'object' && value !== null) {
    if ('line' in value && typeof value.line === 'string') return { line: value.line }
    if ('note' in value && typeof value.note === 'string') return { note: value.note }
    if ('data' in value && typeof value.data === 'string') return { data: value.data }
    if ('exit' in value && typeof value.exit === 'number') return { exit: value.exit }
  }
  throw new TypeError('a reply is a line, a note, data or an exit code')
}
