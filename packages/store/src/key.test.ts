import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxKeyLength, parseKey, parsePrefix, StoreError } from './index.ts'

const segment = fc.stringMatching(/^[!-.0-~]{1,12}$/).filter((text) => text !== '.' && text !== '..')
const key = fc.array(segment, { minLength: 1, maxLength: 8 }).map((segments) => segments.join('/'))

describe('a key', () => {
  test('of the grammar is returned as it is, and its prefix too', () => {
    fc.assert(
      fc.property(key, (text) => {
        expect(parseKey(text)).toBe(text)
        expect(parsePrefix(`${text}/`)).toBe(`${text}/`)
        expect(() => parsePrefix(text)).toThrow(StoreError)
      }),
    )
    expect(parsePrefix('')).toBe('')
  })

  test('of any other text is refused with STORE_INVALID_KEY, and never anything else', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom('/', '.', 'a', ' ') })),
        (text) => {
          const segments = text.split('/')
          const valid = segments.every((part) => /^[\x21-\x7e]+$/.test(part) && part !== '.' && part !== '..')
          if (valid) expect(parseKey(text)).toBe(text)
          else expect(() => parseKey(text)).toThrow(expect.objectContaining({ code: 'STORE_INVALID_KEY' }))
        },
      ),
    )
  })

  test('may be as long as its limit and not longer, and is checked in linear time', () => {
    expect(parseKey('a'.repeat(maxKeyLength))).toHaveLength(maxKeyLength)
    expect(() => parseKey('a'.repeat(maxKeyLength + 1))).toThrow(StoreError)
    expect(() => parseKey(`${'a/'.repeat(5_000_000)}/`)).toThrow(/at most 512/)
  })

  test('that is refused is named in the message, cut short', () => {
    expect(() => parseKey('a b')).toThrow(/invalid key "a b": must be segments/)
    expect(() => parseKey(' '.repeat(300))).toThrow(/ {79}…/)
  })
})
