import { AddressError } from '@podfabric/netaddr'
import { CniError } from './error.ts'
import type { Json, JsonObject } from './json.ts'
import { isJsonObject, keyPath } from './parse-json.ts'

/**
 * One object of a document from outside, read key by key; `path` is where it stands, for messages.
 * A key that is missing, null or an empty text counts as absent. What is not as expected throws
 * CNI_DECODING_FAILURE, naming the key, what was expected and the value.
 */
export class JsonReader {
  readonly #object: JsonObject
  readonly #path: string
  readonly #read = new Set<string>()

  constructor(value: Json | undefined, path: string) {
    if (!isJsonObject(value)) throw wrongValue(path, 'an object', value)
    this.#object = value
    this.#path = path
  }

  text(key: string): string | undefined {
    const value = this.#take(key)
    if (value === undefined || typeof value === 'string') return value === '' ? undefined : value
    throw wrongValue(this.#at(key), 'a text', value)
  }

  texts(key: string): readonly string[] | undefined {
    const value = this.#take(key)
    if (value === undefined) return undefined
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
    throw wrongValue(this.#at(key), 'a list of texts', value)
  }

  /** A whole number from `least` on. */
  integer(key: string, least = 0): number | undefined {
    const value = this.#take(key)
    if (value === undefined) return undefined
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value
    throw wrongValue(this.#at(key), `a whole number from ${least} on`, value)
  }

  /** The text as `parse` reads it; an AddressError is told with the key. */
  parsed<T>(key: string, parse: (text: string) => T): T | undefined {
    const text = this.text(key)
    if (text === undefined) return undefined
    try {
      return parse(text)
    } catch (cause) {
      if (!(cause instanceof AddressError)) throw cause
      throw new CniError('CNI_DECODING_FAILURE', `${this.#at(key)}: ${cause.message}`, { cause })
    }
  }

  required<T>(key: string, value: T | undefined, expected: string): T {
    if (value === undefined) throw wrongValue(this.#at(key), expected, this.#object[key])
    return value
  }

  object(key: string): JsonReader | undefined {
    const value = this.#take(key)
    return value === undefined ? undefined : new JsonReader(value, this.#at(key))
  }

  objects(key: string): readonly JsonReader[] | undefined {
    const value = this.#take(key)
    if (value === undefined) return undefined
    if (!Array.isArray(value)) throw wrongValue(this.#at(key), 'a list of objects', value)
    return value.map((item: Json, index) => new JsonReader(item, keyPath(this.#at(key), index)))
  }

  /** Counts keys as known without reading them. */
  skip(...keys: readonly string[]): void {
    for (const key of keys) this.#read.add(key)
  }

  /** What was not asked for, as `extra`. */
  rest(): { readonly extra?: JsonObject } {
    const unread = Object.entries(this.#object).filter(([key]) => !this.#read.has(key))
    return unread.length === 0 ? {} : { extra: Object.fromEntries(unread) }
  }

  #take(key: string): Json | undefined {
    this.#read.add(key)
    return (Object.hasOwn(this.#object, key) ? this.#object[key] : undefined) ?? undefined
  }

  #at(key: string): string {
    return keyPath(this.#path, key)
  }
}

export function wrongValue(path: string, expected: string, value: Json | undefined): CniError {
  const found = value === undefined ? 'it is missing' : `found ${excerpt(value)}`
  return new CniError('CNI_DECODING_FAILURE', `${path || 'the document'}: expected ${expected}; ${found}`)
}

/** A value as JSON, cut to what a message can hold. */
export function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** The entries that are there: builds values whose optional keys may not be undefined. */
export function defined<T extends Record<string, unknown>>(
  entries: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept = Object.entries(entries).filter(([, value]) => value !== undefined)
  // Filtering is all that happens: the keys and the values' types stay.
  return Object.fromEntries(kept) as { [K in keyof T]?: Exclude<T[K], undefined> }
}
