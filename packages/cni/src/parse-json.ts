import { CniError } from './error.ts'
import type { Json, JsonObject } from './json.ts'

/** Limits of one document. Over them it is refused before memory or stack run out. */
export interface JsonLimits {
  /** UTF-16 code units. Default `maxJsonLength`. */
  readonly length?: number
  /** Objects and arrays inside each other. Default `maxJsonDepth`. */
  readonly depth?: number
}

export const maxJsonLength = 8_388_608
export const maxJsonDepth = 128

export interface ParseJsonOptions extends JsonLimits {
  /** What the text is, for messages. Default `the document`. */
  readonly what?: string
  /** Filled with the offset of every value by its key path, the root's being `''`. */
  readonly positions?: Map<string, number>
}

/**
 * Reads one JSON document (RFC 8259), and refuses what JSON.parse lets pass silently: a key that occurs twice in one
 * object. A whole number beyond 2^53, or one too large for a double, is kept as its text (as `JSON.rawJSON` does), so that
 * `JSON.stringify` gives the same digits back. Keys are compared exactly, letter case included.
 * Throws CNI_DECODING_FAILURE, naming line and column.
 */
export function parseJson(text: string, options: ParseJsonOptions = {}): Json {
  const { what = 'the document', length = maxJsonLength, depth = maxJsonDepth } = options
  if (text.length > length) {
    throw new CniError(
      'CNI_DECODING_FAILURE',
      `${what} has ${text.length} characters; at most ${length} are read`,
    )
  }
  return new Reader(text, what, depth, options.positions).document()
}

/** Whether a number was kept as its text because a double cannot hold it. */
export function isRawNumber(value: Json | undefined): value is JsonObject & { readonly rawJSON: string } {
  return typeof value === 'object' && value !== null && rawJson.isRawJSON(value)
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !rawJson.isRawJSON(value)
}

/** Line and column, both from 1, of an offset. */
export function lineAndColumn(
  text: string,
  offset: number,
): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset)
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: offset - lineStart + 1 }
}

/** `plugins[1].type`; a key that is not a plain word is quoted. */
export function keyPath(parent: string, key: string | number): string {
  if (typeof key === 'number') return `${parent}[${key}]`
  if (!/^[\w$-]+$/.test(key)) return `${parent}[${JSON.stringify(key)}]`
  return parent === '' ? key : `${parent}.${key}`
}

// ECMAScript's JSON.parse source text access; TypeScript's library does not declare it yet.
const rawJson = JSON as JSON & {
  rawJSON(text: string): JsonObject & { readonly rawJSON: string }
  isRawJSON(value: unknown): boolean
}

const numberPattern = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const escapePattern = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y
const quote = 0x22
const backslash = 0x5c
const spacePattern = /[ \t\n\r]*/y

class Reader {
  readonly #text: string
  readonly #what: string
  readonly #maxDepth: number
  readonly #positions: Map<string, number> | undefined
  #at = 0

  constructor(text: string, what: string, maxDepth: number, positions: Map<string, number> | undefined) {
    this.#text = text
    this.#what = what
    this.#maxDepth = maxDepth
    this.#positions = positions
  }

  document(): Json {
    this.#space()
    if (this.#at === this.#text.length) throw this.#error('it is empty')
    const value = this.#value('', 0)
    this.#space()
    if (this.#at < this.#text.length) throw this.#error('there is more after the end of the document')
    return value
  }

  #value(path: string, depth: number): Json {
    this.#positions?.set(path, this.#at)
    const next = this.#text[this.#at]
    if (next === '{') return this.#object(path, this.#deeper(depth))
    if (next === '[') return this.#array(path, this.#deeper(depth))
    if (next === '"') return this.#string()
    for (const [word, value] of words) {
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length
        return value
      }
    }
    return this.#number()
  }

  #deeper(depth: number): number {
    if (depth >= this.#maxDepth) throw this.#error(`it is nested deeper than ${this.#maxDepth} levels`)
    return depth + 1
  }

  #object(path: string, depth: number): JsonObject {
    const object: Record<string, Json> = {}
    this.#at++
    this.#space()
    if (this.#take('}')) return object
    for (;;) {
      const keyAt = this.#at
      if (this.#text[this.#at] !== '"') throw this.#error('expected a key in double quotes')
      const key = this.#string()
      if (Object.hasOwn(object, key)) {
        this.#at = keyAt
        throw this.#error(`the key ${keyPath(path, key)} occurs twice`)
      }
      this.#space()
      if (!this.#take(':')) throw this.#error(`expected ':' after the key ${keyPath(path, key)}`)
      this.#space()
      define(object, key, this.#value(this.#positions ? keyPath(path, key) : path, depth))
      this.#space()
      if (this.#take('}')) return object
      if (!this.#take(',')) throw this.#error("expected ',' or '}'")
      this.#space()
    }
  }

  #array(path: string, depth: number): readonly Json[] {
    const array: Json[] = []
    this.#at++
    this.#space()
    if (this.#take(']')) return array
    for (;;) {
      array.push(this.#value(this.#positions ? keyPath(path, array.length) : path, depth))
      this.#space()
      if (this.#take(']')) return array
      if (!this.#take(',')) throw this.#error("expected ',' or ']'")
      this.#space()
    }
  }

  #string(): string {
    const end = this.#endOfString()
    if (end < 0) throw this.#error('a text that is not closed, or holds what must be escaped')
    const literal = this.#text.slice(this.#at, end)
    this.#at = end
    return literal.includes('\\') ? (JSON.parse(literal) as string) : literal.slice(1, -1)
  }

  /** Behind the closing quote of the text that begins here, or -1. A loop: a pattern's stack ends at some megabytes. */
  #endOfString(): number {
    if (this.#text[this.#at] !== '"') return -1
    for (let at = this.#at + 1; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at)
      if (code === quote) return at + 1
      if (code < 0x20) return -1
      if (code !== backslash) continue
      escapePattern.lastIndex = at
      if (!escapePattern.test(this.#text)) return -1
      at = escapePattern.lastIndex - 1
    }
    return -1
  }

  #number(): Json {
    numberPattern.lastIndex = this.#at
    const match = numberPattern.exec(this.#text)
    if (match === null) throw this.#error('expected a value')
    this.#at = numberPattern.lastIndex
    const [text, fraction, exponent] = match
    const value = Number(text)
    const whole = fraction === undefined && exponent === undefined
    const exact = Number.isFinite(value) && (!whole || Number.isSafeInteger(value))
    return exact ? value : rawJson.rawJSON(text)
  }

  #space(): void {
    spacePattern.lastIndex = this.#at
    spacePattern.exec(this.#text)
    this.#at = spacePattern.lastIndex
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #error(reason: string): CniError {
    const { line, column } = lineAndColumn(this.#text, this.#at)
    return new CniError(
      'CNI_DECODING_FAILURE',
      `${this.#what} is not JSON: line ${line}, column ${column}: ${reason}`,
    )
  }
}

const words: readonly (readonly [string, Json])[] = [
  ['true', true],
  ['false', false],
  ['null', null],
]

/** As JSON.parse: `__proto__` is a key like any other. */
function define(object: Record<string, Json>, key: string, value: Json): void {
  if (key !== '__proto__') object[key] = value
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
}
