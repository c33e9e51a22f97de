import type { Dissection } from './dissect.ts'

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue }

/** A dissection as plain JSON: octets as lower-case hex, everything else as the headers have it. */
export function dissectionToJson(dissection: Dissection): JsonValue {
  return {
    layers: dissection.layers.map(({ protocol, offset, length, header }) => ({
      protocol,
      offset,
      length,
      header: toJson(header),
    })),
    payload: toHex(dissection.payload),
    errors: dissection.errors.map(({ layer, offset, code, reason }) => ({ layer, offset, code, reason })),
  }
}

function toJson(value: unknown): JsonValue {
  if (value instanceof Uint8Array) return toHex(value)
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (typeof value !== 'object' || value === null) return null
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]))
}

/** Two lower-case digits for each octet, without separators. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const octet of bytes) text += octet.toString(16).padStart(2, '0')
  return text
}

/** The inverse of `toHex`; spaces and line breaks are skipped. `RangeError` for anything else. */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/\s+/g, '')
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new RangeError('hex text is pairs of the digits 0-9 and a-f')
  const bytes = new Uint8Array(digits.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return bytes
}
