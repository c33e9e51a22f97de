import { parseSync } from 'oxc-parser'

/** One module that a source names, however it names it. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** Gone after compilation: `import type`, `export type … from`, `import('…')` in a type. */
  readonly typeOnly: boolean
}

/** A global that a source uses by name: `process`, or `Date.now` for a member of one. */
export interface GlobalUse {
  readonly name: string
  readonly line: number
}

export interface SourceFacts {
  readonly imports: readonly Import[]
  readonly globals: readonly GlobalUse[]
}

interface SyntaxNode {
  readonly type: string
  readonly start: number
  readonly [key: string]: unknown
}

const watched = new Set([
  'Buffer',
  'process',
  'console',
  'Date',
  'Math',
  'performance',
  '__dirname',
  'require',
])

/** What a TypeScript source imports and which of the watched globals it uses. Throws when it does not parse. */
export function readSource(path: string, text: string): SourceFacts {
  const { program, errors } = parseSync(path, text, { lang: 'ts', sourceType: 'module' })
  if (errors[0] !== undefined) throw new Error(`${path}: ${errors[0].message}`)
  const imports: Import[] = []
  const globals: GlobalUse[] = []
  const lineOf = (node: SyntaxNode) => text.slice(0, node.start).split('\n').length

  const visit = (node: SyntaxNode, parent: SyntaxNode | undefined) => {
    const source = node.source ?? (node.type === 'TSImportType' ? node.argument : undefined)
    if (isNode(source) && typeof source.value === 'string') {
      const typeOnly =
        node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type'
      imports.push({ specifier: source.value, line: lineOf(node), typeOnly })
    }
    if (node.type === 'Identifier' && watched.has(String(node.name)) && isReference(node, parent)) {
      const name = String(node.name)
      const property = parent?.type === 'MemberExpression' ? parent.property : undefined
      const member = isNode(property) && !parent?.computed ? `.${String(property.name)}` : ''
      globals.push({ name: readsWallClock(name, parent) ? 'new Date()' : name + member, line: lineOf(node) })
    }
    for (const value of Object.values(node)) {
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) visit(child, node)
    }
  }
  visit(program as unknown as SyntaxNode, undefined) // the walk is generic over every node type
  return { imports, globals }
}

/** `new Date()`; with an argument it only formats. */
function readsWallClock(name: string, parent: SyntaxNode | undefined): boolean {
  const given = parent?.arguments
  return name === 'Date' && parent?.type === 'NewExpression' && Array.isArray(given) && given.length === 0
}

/** Not the name of a property, a key, a parameter or a type. */
function isReference(node: SyntaxNode, parent: SyntaxNode | undefined): boolean {
  if (parent === undefined) return false
  if (parent.type === 'MemberExpression') return parent.object === node || parent.computed === true
  if (parent.type === 'Property') return parent.value === node && parent.shorthand !== true
  return !/^(TS|PropertyDefinition|MethodDefinition|Import|Export)/.test(parent.type)
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}
