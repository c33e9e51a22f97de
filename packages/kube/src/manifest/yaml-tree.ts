import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  Parser,
  type Scalar,
  type YAMLMap,
} from 'yaml'

/** A value of a manifest and the position at which it is written. Shared, not copied, where the text uses an alias. */
export type YamlTree = YamlScalar | YamlList | YamlMap

interface Placed {
  readonly at: Position
  /** Values inside, itself included, aliases counted at each use. */
  readonly size: number
}

export interface YamlScalar extends Placed {
  readonly kind: 'scalar'
  readonly value: string | number | boolean | null
}

export interface YamlList extends Placed {
  readonly kind: 'list'
  readonly items: readonly YamlTree[]
}

export interface YamlMap extends Placed {
  readonly kind: 'map'
  readonly entries: ReadonlyMap<string, YamlEntry>
}

export interface YamlEntry {
  /** Where the key stands. */
  readonly at: Position
  readonly value: YamlTree
}

export interface Position {
  readonly line: number
  readonly column: number
}

export interface YamlProblem {
  readonly severity: 'error' | 'limit' | 'warning'
  readonly at: Position
  readonly reason: string
}

export interface YamlText {
  /** The documents that could be read; empty ones are left out. */
  readonly documents: readonly YamlTree[]
  readonly problems: readonly YamlProblem[]
}

/** Most characters in one manifest. */
export const maxLength = 16 * 1024 * 1024
/** Deepest nesting of lists and maps. */
export const maxDepth = 100
/** Most values in one document once every alias is followed. */
export const maxValues = 1_000_000

/**
 * Reads YAML (JSON is a part of it) as Kubernetes does: the core schema, plus `yes`, `no`, `on`, `off`, `y` and `n` as
 * booleans and `<<` as a merge. Never throws: a document with a problem is left out and the others are kept.
 */
export function readYaml(text: string): YamlText {
  const start = { line: 1, column: 1 }
  if (text.length > maxLength) {
    return {
      documents: [],
      problems: [{ severity: 'limit', at: start, reason: `more than ${maxLength} characters` }],
    }
  }
  const lines = new LineCounter()
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const tokens = [...new Parser(lines.addNewLine).parse(text)]
  for (const token of tokens) {
    const offset = tooDeep(token)
    if (offset !== undefined) {
      const reason = `nested more than ${maxDepth} deep`
      return { documents: [], problems: [{ severity: 'limit', at: position(offset), reason }] }
    }
  }
  const documents: YamlTree[] = []
  const problems: YamlProblem[] = []
  const composer = new Composer({
    schema: 'core',
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  })
  for (const document of composer.compose(tokens, true, text.length)) {
    const found = documentProblems(document, position)
    if (document.contents !== null && !found.some(({ severity }) => severity !== 'warning')) {
      const planted = plant(document, position)
      if ('reason' in planted) found.push(planted)
      else if (planted.kind !== 'scalar' || planted.value !== null) documents.push(planted)
    }
    problems.push(...found)
  }
  return { documents, problems }
}

function documentProblems(document: Document.Parsed, position: (offset: number) => Position): YamlProblem[] {
  const of = (severity: 'error' | 'warning') => (problem: { pos: [number, number]; message: string }) => ({
    severity,
    at: position(problem.pos[0]),
    reason: problem.message.charAt(0).toLowerCase() + problem.message.slice(1),
  })
  return [...document.errors.map(of('error')), ...document.warnings.map(of('warning'))]
}

/** Offset of the first collection nested too deep. Walks with a stack of its own: the text decides the depth. */
function tooDeep(root: CST.Token): number | undefined {
  const open: { token: CST.Token; depth: number }[] = [{ token: root, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if (depth > maxDepth) return token.offset
    if (token.type === 'document' && token.value) open.push({ token: token.value, depth })
    if (!('items' in token)) continue
    for (const { key, value } of token.items) {
      if (key) open.push({ token: key, depth: depth + 1 })
      if (value) open.push({ token: value, depth: depth + 1 })
    }
  }
  return undefined
}

/** Thrown and caught inside this file: the tree cannot be built. */
class Unplantable extends Error {
  readonly problem: YamlProblem

  constructor(problem: YamlProblem) {
    super(problem.reason)
    this.problem = problem
  }
}

function plant(document: Document.Parsed, position: (offset: number) => Position): YamlTree | YamlProblem {
  const planted = new Map<Node, YamlTree>()
  const growing = new Set<Node>()
  const at = (node: { range?: readonly number[] | null | undefined }) => position(node.range?.[0] ?? 0)
  const refuse = (where: Position, reason: string, severity: 'error' | 'limit' = 'error') =>
    new Unplantable({ severity, at: where, reason })

  function grow(node: Node): YamlTree {
    const known = planted.get(node)
    if (known) return known
    if (growing.has(node)) throw refuse(at(node), 'an alias of the value that it is part of')
    growing.add(node)
    const tree = growNew(node)
    growing.delete(node)
    if (tree.size > maxValues)
      throw refuse(at(node), `more than ${maxValues} values once aliases are followed`, 'limit')
    planted.set(node, tree)
    return tree
  }

  function growNew(node: Node): YamlTree {
    if (isAlias(node)) {
      const target = node.resolve(document)
      if (!target) throw refuse(at(node), `no anchor &${node.source} before this alias`)
      return grow(target)
    }
    if (isSeq(node)) {
      const items = node.items.map((item) => grow(item as Node))
      return { kind: 'list', items, at: at(node), size: sizeOf(items) }
    }
    if (isMap(node)) {
      const entries = growEntries(node)
      return {
        kind: 'map',
        entries,
        at: at(node),
        size: sizeOf([...entries.values()].map(({ value }) => value)),
      }
    }
    return { kind: 'scalar', value: scalarValue(node as Scalar), at: at(node), size: 1 }
  }

  function growEntries(map: YAMLMap): Map<string, YamlEntry> {
    const own = new Map<string, YamlEntry>()
    const merged: YamlMap[] = []
    for (const pair of map.items as Pair<Node, Node | null>[]) {
      const where = at(pair.key)
      const value: YamlTree = pair.value
        ? grow(pair.value)
        : { kind: 'scalar', value: null, at: where, size: 1 }
      if (isMergeKey(pair.key)) {
        merged.push(...mapsToMerge(value, where))
        continue
      }
      const key = keyText(pair.key, where)
      const earlier = own.get(key)
      if (earlier) throw refuse(where, `the key ${key} is already set in line ${earlier.at.line}`)
      own.set(key, { at: where, value })
    }
    for (const { entries } of merged)
      for (const [key, entry] of entries) if (!own.has(key)) own.set(key, entry)
    return own
  }

  function mapsToMerge(value: YamlTree, where: Position): YamlMap[] {
    const sources = value.kind === 'list' ? value.items : [value]
    return sources.map((source) => {
      if (source.kind !== 'map') throw refuse(where, 'only maps can be merged with <<')
      return source
    })
  }

  function keyText(key: Node, where: Position): string {
    const scalar = grow(key)
    if (scalar.kind !== 'scalar' || scalar.value === null) throw refuse(where, 'a key must be plain text')
    return isScalar(key) && typeof key.source === 'string' ? key.source : String(scalar.value)
  }

  function scalarValue(scalar: Scalar): YamlScalar['value'] {
    const { value, source } = scalar
    if (scalar.type === 'PLAIN' && source !== undefined) {
      if (/^(y|Y|yes|Yes|YES|on|On|ON)$/.test(source)) return true
      if (/^(n|N|no|No|NO|off|Off|OFF)$/.test(source)) return false
      if (/^[-+]?0\d+$/.test(source)) {
        throw refuse(
          at(scalar),
          `${source} is decimal to some readers and octal to others; drop the zeros or quote it`,
        )
      }
    }
    if (
      value === null ||
      typeof value === 'string' ||
      typeof value === 'number' ||
      typeof value === 'boolean'
    ) {
      return value
    }
    return source ?? String(value)
  }

  try {
    return grow(document.contents as Node)
  } catch (problem) {
    if (problem instanceof Unplantable) return problem.problem
    throw problem
  }
}

function isMergeKey(key: Node): boolean {
  return isScalar(key) && key.type === 'PLAIN' && key.source === '<<'
}

function sizeOf(children: readonly YamlTree[]): number {
  return children.reduce((total, { size }) => total + size, 1)
}
