import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DnsError } from '../dns-error.ts'
import { isWithin, labelsOf, nameKey, parentOf, parseName, readName, writeName } from './name.ts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

const writer = (): Writer => ({ bytes: new Uint8Array(4096), offset: 0, names: new Map() })
const reader = (bytes: Uint8Array, offset = 0): Reader => ({ bytes, offset, end: bytes.length })
const octets = (...parts: (number | string)[]) =>
  new Uint8Array(
    parts.flatMap((part) => (typeof part === 'number' ? [part] : [...new TextEncoder().encode(part)])),
  )

function written(...names: string[]): Uint8Array {
  const target = writer()
  for (const name of names) writeName(target, name)
  return target.bytes.slice(0, target.offset)
}

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof DnsError) return error.code
    throw error
  }
  return 'nothing was thrown'
}

describe('on the wire', () => {
  test('a name is its labels with their lengths, ended by the root', () => {
    expect(written('web.Svc')).toEqual(octets(3, 'web', 3, 'Svc', 0))
    expect(written('.')).toEqual(octets(0))
  })

  test('a second name points at the part that it shares with the first', () => {
    expect(written('a.svc.local', 'b.svc.local', 'svc.local')).toEqual(
      octets(1, 'a', 3, 'svc', 5, 'local', 0, 1, 'b', 0xc0, 2, 0xc0, 2),
    )
  })

  test('names in another case are written out, so that each keeps its own', () => {
    expect(written('a.B', 'a.b')).toEqual(octets(1, 'a', 1, 'B', 0, 1, 'a', 1, 'b', 0))
  })

  test('octets that are no plain text are escaped and come back', () => {
    const wire = octets(5, 'a.b', 0, 0xff, 1, '\\', 0)
    const name = readName(reader(wire))
    expect(name).toBe('a\\.b\\000\\255.\\\\')
    expect(written(name)).toEqual(wire)
  })

  test('a pointer is followed, and reading goes on behind it', () => {
    const source = reader(octets(3, 'svc', 0, 1, 'a', 0xc0, 0, 7), 5)
    expect(readName(source)).toBe('a.svc')
    expect(source.offset).toBe(9)
  })

  test.each([
    ['a pointer to itself', octets(0xc0, 0), 'DNS_MALFORMED'],
    ['a pointer into the label before it', octets(1, 'a', 0xc0, 0), 'DNS_MALFORMED'],
    ['a pointer forwards', octets(0xc0, 2, 0), 'DNS_MALFORMED'],
    ['a cut pointer', octets(0xc0), 'DNS_TRUNCATED'],
    ['a cut label', octets(3, 'ab'), 'DNS_TRUNCATED'],
    ['a missing root', octets(1, 'a'), 'DNS_TRUNCATED'],
    ['no octets', octets(), 'DNS_TRUNCATED'],
    ['a label type that is reserved', octets(0x40, 0), 'DNS_MALFORMED'],
    ['a label type that was given up', octets(0x80, 0), 'DNS_MALFORMED'],
  ])('%s is refused', (_, bytes, code) => {
    expect(codeOf(() => readName(reader(bytes)))).toBe(code)
  })

  test('two names that point at each other end', () => {
    const bytes = octets(1, 'a', 0xc0, 4, 1, 'b', 0xc0, 0)
    expect(codeOf(() => readName(reader(bytes, 4)))).toBe('DNS_MALFORMED')
  })

  test('a chain of bare pointers ends', () => {
    const bytes = new Uint8Array(600)
    for (let at = 2; at < 600; at += 2) bytes.set([0xc0 | ((at - 2) >> 8), (at - 2) & 0xff], at)
    expect(codeOf(() => readName(reader(bytes, 598)))).toBe('DNS_MALFORMED')
    expect(readName(reader(bytes, 100))).toBe('.')
  })

  test('255 octets are a name and 256 are not', () => {
    const label = 'a'.repeat(63)
    const longest = [label, label, label, 'a'.repeat(61)].join('.')
    expect(written(longest).length).toBe(255)
    expect(readName(reader(written(longest)))).toBe(longest)
    expect(codeOf(() => written(`${longest}a`))).toBe('DNS_NAME')
    const tooLong = octets(63, label, 63, label, 63, label, 62, 'a'.repeat(62), 0)
    expect(codeOf(() => readName(reader(tooLong)))).toBe('DNS_MALFORMED')
  })
})

describe('as text', () => {
  test.each([
    ['', 'DNS_NAME'],
    ['..', 'DNS_NAME'],
    ['a..b', 'DNS_NAME'],
    ['.a', 'DNS_NAME'],
    ['a b', 'DNS_NAME'],
    ['ä', 'DNS_NAME'],
    ['a\\', 'DNS_NAME'],
    ['a\\25', 'DNS_NAME'],
    ['a\\256', 'DNS_NAME'],
    ['a'.repeat(64), 'DNS_NAME'],
    [`${'a.'.repeat(127)}a`, 'DNS_NAME'],
  ])('%j is no name, neither read nor written', (text, code) => {
    expect(codeOf(() => parseName(text))).toBe(code)
    expect(codeOf(() => written(text))).toBe(code)
  })

  test('a final dot is no part of the name, unless it is escaped', () => {
    expect(parseName('web.local.')).toBe('web.local')
    expect(parseName('.')).toBe('.')
    expect(parseName('a\\.')).toBe('a\\.')
    expect(parseName('a\\\\.')).toBe('a\\\\')
  })

  test('keys are equal whatever the case', () => {
    expect(nameKey('WeB.Local')).toBe('web.local')
  })

  test('labels and parents know escapes', () => {
    expect(labelsOf('a\\.b.c')).toEqual(['a\\.b', 'c'])
    expect(labelsOf('a\\046b.c\\\\.d')).toEqual(['a\\046b', 'c\\\\', 'd'])
    expect(labelsOf('.')).toEqual([])
    expect(parentOf('a\\.b.c')).toBe('c')
    expect(parentOf('c')).toBe('.')
    expect(parentOf('.')).toBeUndefined()
  })

  test('a name is within itself and its ancestors, not within a name that merely ends alike', () => {
    expect(isWithin('a.b', 'a.b')).toBe(true)
    expect(isWithin('a.b', 'b')).toBe(true)
    expect(isWithin('ab', 'b')).toBe(false)
    expect(isWithin('a\\.b', 'b')).toBe(false)
    expect(isWithin('b', 'a.b')).toBe(false)
    expect(isWithin('b', '.')).toBe(true)
  })
})

test('every name on the wire comes back octet for octet', () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 20 })
  fc.assert(
    fc.property(fc.array(label, { maxLength: 8 }), (labels) => {
      const wire = new Uint8Array([...labels.flatMap((part) => [part.length, ...part]), 0])
      const name = readName(reader(wire))
      expect(written(name)).toEqual(wire)
      expect(parseName(name)).toBe(name)
      expect(labelsOf(name).length).toBe(labels.length)
    }),
  )
})
