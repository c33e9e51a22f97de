/** One row of the table of packages in `architecture.md`, with the names of one package or subpath. */
export interface PackageRule {
  /** `netaddr`, `agent/exec`, `plugin-bridge/bin`, `apps/docs`. */
  readonly name: string
  /** Workspace packages that it may import; true where only types. `'everything'` sets no limit. */
  readonly imports: ReadonlyMap<string, { readonly typesOnly: boolean }> | 'everything'
  readonly libraries: ReadonlySet<string>
  readonly runs: 'anywhere' | 'Node'
}

/** What the tests and benchmarks of one package may import beyond what its sources may. */
export interface TestRule {
  readonly name: string
  readonly imports: ReadonlySet<string> | 'everything'
  readonly libraries: ReadonlySet<string>
}

export interface ArchitectureTable {
  readonly packages: ReadonlyMap<string, PackageRule>
  readonly tests: ReadonlyMap<string, TestRule>
}

/** Reads the two tables; a row that it cannot read is an error that names the row. */
export function parseArchitecture(markdown: string): ArchitectureTable {
  const packages = new Map<string, PackageRule>()
  for (const row of rowsUnder(markdown, ['package', 'what it is', 'may import', 'libraries', 'runs'])) {
    const [names = '', , imports = '', libraries = '', runs = ''] = row
    if (runs !== 'anywhere' && runs !== 'Node') throw new Error(`architecture.md: ${names} runs in "${runs}"`)
    for (const name of codes(names)) {
      if (packages.has(name)) throw new Error(`architecture.md: ${name} has two rows`)
      packages.set(name, { name, imports: importsOf(imports), libraries: new Set(codes(libraries)), runs })
    }
  }

  const tests = new Map<string, TestRule>()
  for (const [names = '', imports = '', libraries = ''] of rowsUnder(markdown, [
    'who',
    'may also import in tests',
    'libraries',
  ])) {
    for (const name of codes(names)) {
      const known = tests.get(name)
      const more = imports === 'everything' ? imports : new Set(codes(imports))
      tests.set(name, {
        name,
        imports:
          more === 'everything' || known?.imports === 'everything'
            ? 'everything'
            : new Set([...more, ...(known?.imports ?? [])]),
        libraries: new Set([...codes(libraries), ...(known?.libraries ?? [])]),
      })
    }
  }
  return { packages, tests }
}

function rowsUnder(markdown: string, header: readonly string[]): string[][] {
  const lines = markdown.split('\n')
  const start = lines.findIndex((line) => cells(line).join('|') === header.join('|'))
  if (start < 0) throw new Error(`architecture.md: no table with the header ${header.join(', ')}`)
  const rows: string[][] = []
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break
    const row = cells(line)
    if (row.length !== header.length)
      throw new Error(`architecture.md: a row with ${row.length} cells: ${line}`)
    rows.push(row)
  }
  return rows
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

function codes(cell: string): string[] {
  if (cell === '–') return []
  const names = [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')
  if (names.length === 0) throw new Error(`architecture.md: "${cell}" names nothing; write – for nothing`)
  return names
}

function importsOf(cell: string): PackageRule['imports'] {
  if (cell === 'everything') return cell
  const typesOnly = new Set([...cell.matchAll(/`([^`]+)`°/g)].map((match) => match[1]))
  return new Map(codes(cell).map((name) => [name, { typesOnly: typesOnly.has(name) }]))
}
