import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { maxDepth, readYaml, type YamlTree } from './yaml-tree.ts'

function plain(tree: YamlTree | undefined): unknown {
  if (tree === undefined) return undefined
  if (tree.kind === 'scalar') return tree.value
  if (tree.kind === 'list') return tree.items.map(plain)
  return Object.fromEntries([...tree.entries].map(([key, { value }]) => [key, plain(value)]))
}

const read = (text: string) => plain(readYaml(text).documents[0])
const reasons = (text: string) =>
  readYaml(text).problems.map(({ at, reason }) => `${at.line}:${at.column} ${reason}`)

describe('readYaml', () => {
  test('takes yes, no, on and off for booleans, as Kubernetes does, unless they are quoted', () => {
    expect(read('[yes, No, on, OFF, y, n, "yes"]')).toEqual([true, false, true, false, true, false, 'yes'])
    expect(read('[oN, yEs, nO, oFF, tRUE]')).toEqual(['oN', 'yEs', 'nO', 'oFF', 'tRUE'])
  })

  test('refuses a number with leading zeros instead of choosing a base', () => {
    expect(reasons('port: 0080')).toEqual([
      '1:7 0080 is decimal to some readers and octal to others; drop the zeros or quote it',
    ])
    expect(read('{a: 0, b: 0.5, c: "007"}')).toEqual({ a: 0, b: 0.5, c: '007' })
  })

  test('refuses a key that is written twice, also as a number and as a text', () => {
    expect(reasons('a: 1\nb: 2\na: 3')).toEqual(['3:1 the key a is already set in line 1'])
    expect(reasons('1: 1\n"1": 2')).toEqual(['2:1 the key 1 is already set in line 1'])
  })

  test('refuses tabs as indentation in YAML and takes them in JSON', () => {
    expect(reasons('a:\n\tb: 1')[0]).toMatch(/^2:1 .*tab/i)
    expect(read('{\n\t"a": [\n\t\t1\n\t]\n}')).toEqual({ a: [1] })
  })

  test('merges maps with <<, the own keys first', () => {
    expect(read('base: &b {x: 1, y: 2}\nown: {<<: *b, y: 3}')).toEqual({
      base: { x: 1, y: 2 },
      own: { x: 1, y: 3 },
    })
    expect(reasons('a: {<<: 1}')).toEqual(['1:5 only maps can be merged with <<'])
  })

  test('follows aliases, and refuses those without an anchor or inside their own', () => {
    expect(read('a: &x [1]\nb: *x')).toEqual({ a: [1], b: [1] })
    expect(reasons('a: *nothing').join()).toMatch(/anchor/)
    expect(reasons('a: &a [*a]')).toEqual(['1:7 an alias of the value that it is part of'])
  })

  test('refuses an alias bomb without expanding it', () => {
    const names = 'abcdefghijk'
    const lines = [...names].map((name, level) => {
      const item = level === 0 ? 'x' : `*${names[level - 1]}`
      return `${name}: &${name} [${Array(10).fill(item).join(', ')}]`
    })
    expect(reasons(lines.join('\n')).join()).toMatch(/more than 1000000 values/)
  })

  test('refuses text that is nested too deep, however deep', () => {
    expect(reasons('['.repeat(maxDepth) + ']'.repeat(maxDepth))).toEqual([])
    expect(reasons('['.repeat(200_000)).join()).toMatch(/nested more than 100 deep/)
  })

  test('keeps the documents beside a broken one', () => {
    const { documents, problems } = readYaml('a: 1\n---\nb: [\n---\nc: 3\n')
    expect(documents.map(plain)).toContainEqual({ a: 1 })
    expect(problems.length).toBeGreaterThan(0)
  })

  test('leaves empty documents out', () => {
    expect(readYaml('---\n---\n# nothing\n---\na: 1\n').documents.map(plain)).toEqual([{ a: 1 }])
  })

  test('keeps keys that are called like properties of every object', () => {
    expect(readYaml('{__proto__: 1, constructor: 2}').documents[0]).toMatchObject({ kind: 'map' })
    const tree = readYaml('{__proto__: 1, constructor: 2}').documents[0]
    expect(tree?.kind === 'map' && [...tree.entries.keys()]).toEqual(['__proto__', 'constructor'])
  })

  test('reads every JSON text to the value that JSON.parse gives', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.stringify(value)),
        (text) => {
          const value: unknown = JSON.parse(text)
          fc.pre(value !== null)
          expect(read(text)).toEqual(value)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('never throws, whatever the text', () => {
    const pieces = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '{',
      '}',
      '[',
      ']',
      '&a',
      '*a',
      '<<',
      '"',
      '|',
      '>',
      '\t',
    )
    const garbage = fc.array(fc.oneof(pieces, fc.string({ maxLength: 3, unit: 'binary' })), { maxLength: 40 })
    fc.assert(
      fc.property(garbage, (parts) => {
        readYaml(parts.join(''))
      }),
      { numRuns: 2000 },
    )
  })
})
