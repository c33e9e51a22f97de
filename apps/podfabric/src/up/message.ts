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
