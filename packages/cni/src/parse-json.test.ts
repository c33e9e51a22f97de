import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CniError } from './error.ts'
import { isRawNumber, parseJson } from './parse-json.ts'

function refusal(text: string, options = {}): CniError {
  try {
    parseJson(text, options)
  } catch (error) {
    if (error instanceof CniError) return error
    throw error
  }
  throw new Error(`${text.slice(0, 80)} was taken`)
}

describe('parseJson', () => {
  it('reads whatever JSON.stringify writes, as JSON.parse does', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)))
      }),
    )
  })

  it('reads a text of megabytes, escapes and all', () => {
    const text = JSON.stringify('"\\'.repeat(2_000_000))
    expect(parseJson(text) === JSON.parse(text)).toBe(true)
  })

  it('takes and refuses the same mutilated texts as JSON.parse, but for keys that occur twice', () => {
    const mutilated = fc
      .tuple(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.constantFrom('', '"', '{', ',', ':', '0', '\\', '\u0000', ' ', '-'),
      )
      .map(([text, at, inserted]) => {
        const place = at % (text.length + 1)
        return text.slice(0, place) + inserted + text.slice(place + (inserted === '' ? 1 : 0))
      })
    fc.assert(
      fc.property(mutilated, (text) => {
        let expected = true
        try {
          JSON.parse(text)
        } catch {
          expected = false
        }
        try {
          parseJson(text)
          expect(expected).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(CniError)
          if (!String(error).includes('occurs twice')) expect(expected).toBe(false)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('gives back every digit of whole numbers beyond 2^53, wherever they stand', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 90n), max: 2n ** 90n }), (number) => {
        const text = `{"a":[${number}]}`
        expect(JSON.stringify(parseJson(text))).toBe(text)
      }),
    )
    const value = parseJson('9007199254740993')
    expect(isRawNumber(value)).toBe(true)
    expect(JSON.stringify(parseJson('1e999'))).toBe('1e999')
    expect(parseJson('-12.5e1')).toBe(-125)
  })

  it('refuses a key that occurs twice, and says where', () => {
    const error = refusal('{\n  "a": {"b": 1, "b": 2}\n}', { positions: new Map() })
    expect(error.code).toBe('CNI_DECODING_FAILURE')
    expect(error.message).toBe('the document is not JSON: line 2, column 17: the key a.b occurs twice')
  })

  it('takes __proto__ as a key like any other, and twice is twice', () => {
    const value = parseJson('{"__proto__":{"polluted":true}}')
    expect(JSON.stringify(value)).toBe('{"__proto__":{"polluted":true}}')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    expect(refusal('{"__proto__":1,"__proto__":2}').message).toContain('occurs twice')
    expect(parseJson('{"constructor":1}')).toEqual({ constructor: 1 })
  })

  it('refuses what is nested too deep or too long before it can do harm', () => {
    expect(refusal('['.repeat(100_000)).message).toContain('nested deeper than 128')
    expect(refusal('[[1]]', { depth: 1 }).message).toContain('nested deeper than 1')
    expect(refusal(`"${'x'.repeat(100)}"`, { length: 50 }).message).toContain('at most 50')
  })

  it('reads a long text without a stack overflow', () => {
    const text = JSON.stringify('x'.repeat(5_000_000))
    expect(parseJson(text)).toHaveLength(5_000_000)
  })

  it.each([
    ['', 'it is empty'],
    ['{} {}', 'there is more after the end'],
    ['{"a" 1}', "expected ':' after the key a"],
    ['[1 2]', "expected ',' or ']'"],
    ['{a: 1}', 'expected a key in double quotes'],
    ['"abc', 'not closed'],
    ['01', 'there is more after the end'],
    ['nul', 'expected a value'],
  ])('says what is wrong with %s', (text, reason) => {
    expect(refusal(text).message).toContain(reason)
  })
})
