import { posix } from 'node:path'
import type { ArchitectureTable, PackageRule } from './architecture-table.ts'
import { type Import, readSource } from './imports.ts'
import type { SourceFile, WorkspacePackage } from './workspace.ts'

const scope = '@podfabric/'
/** Installed at the root for the tests and benchmarks of all packages. */
const testTools = new Set(['vitest', 'fast-check', 'tinybench'])
const outsideWorld =
  /^(Buffer|process|console|performance|__dirname|require|Date\.now|new Date\(\)|Math\.random)/

/** Every place where the workspace differs from its table, each as one line that names the file and the reason. */
export function boundaryViolations(
  table: ArchitectureTable,
  workspace: readonly WorkspacePackage[],
): string[] {
  const found = new Set(workspace.map(({ name }) => name))
  const missing = [...table.packages.keys()].filter((name) => !found.has(packageOf(name)))
  return [
    ...missing.map((name) => `architecture.md: ${name} has a row and no folder`),
    ...workspace.flatMap((each) => packageViolations(table, each)),
    ...cycles(workspace).map((cycle) => `packages depend on each other: ${cycle.join(' → ')}`),
  ]
}

/** Every dependency that no source imports, and every development one that no test, benchmark or document does. */
export function unusedDependencies(workspace: readonly WorkspacePackage[]): string[] {
  return workspace.flatMap(({ name, manifest, files }) => {
    const used = {
      dependencies: importedBy(files.filter(({ path }) => !isTest(path))),
      devDependencies: importedBy(files),
    }
    return (['dependencies', 'devDependencies'] as const).flatMap((field) =>
      Object.keys(manifest[field] ?? {})
        .filter((dependency) => !used[field].has(dependency.replace(/^@types\//, '')))
        .map((dependency) => `${name}/package.json: nothing imports ${dependency} of its ${field}`),
    )
  })
}

function importedBy(files: readonly SourceFile[]): ReadonlySet<string> {
  return new Set(
    files.flatMap(({ path, text }) =>
      readSource(path, text).imports.map(({ specifier }) => dependencyOf(specifier)),
    ),
  )
}

function packageViolations(table: ArchitectureTable, workspacePackage: WorkspacePackage): string[] {
  const { name, manifest, files } = workspacePackage
  const rule = table.packages.get(name)
  if (rule === undefined) return [`${name}: no row in architecture.md`]
  const rows = [...table.packages.values()].filter((row) => packageOf(row.name) === name)
  return [
    ...manifestViolations(table, rows, workspacePackage),
    ...files.flatMap((file) =>
      isTest(file.path)
        ? testImportViolations(table, name, workspacePackage, file)
        : sourceViolations(rule, rowOf(rows, file.path), workspacePackage, file),
    ),
    ...(name.startsWith('apps/') || manifest.name === scope + name
      ? []
      : [`${name}/package.json: is called ${manifest.name}, not ${scope}${name}`]),
  ]
}

function manifestViolations(
  table: ArchitectureTable,
  rows: readonly PackageRule[],
  { name, manifest }: WorkspacePackage,
): string[] {
  const test = table.tests.get(name)
  const check = (field: 'dependencies' | 'devDependencies') =>
    Object.entries(manifest[field] ?? {}).flatMap(([dependency, range]) => {
      const short = shortName(dependency)
      const development = field === 'devDependencies'
      const allowed =
        short === undefined
          ? rows.some(({ libraries }) => libraries.has(dependency)) ||
            (development && test?.libraries.has(dependency))
          : rows.some(({ imports }) => imports === 'everything' || imports.has(short)) ||
            (development && (test?.imports === 'everything' || test?.imports.has(short)))
      return [
        ...(allowed
          ? []
          : [`${name}/package.json: ${field} has ${dependency}, which its row does not allow`]),
        ...(range === (short === undefined ? 'catalog:' : 'workspace:*')
          ? []
          : [
              `${name}/package.json: ${dependency} is "${range}", not from the ${short ? 'workspace' : 'catalog'}`,
            ]),
      ]
    })
  return [...check('dependencies'), ...check('devDependencies')]
}

function sourceViolations(
  rule: PackageRule,
  row: PackageRule,
  { name, manifest }: WorkspacePackage,
  file: SourceFile,
): string[] {
  const anywhere = row.runs === 'anywhere'
  const { imports, globals } = readSource(file.path, file.text)
  const importReason = ({ specifier, typeOnly }: Import): string | undefined => {
    if (specifier.startsWith('.')) {
      if (!specifier.endsWith('.ts')) return 'a relative import ends in .ts'
      return isTest(posix.join(posix.dirname(file.path), specifier)) ? 'a source imports no test' : undefined
    }
    if (specifier.startsWith('node:')) {
      if (!anywhere || (/^node:assert/.test(specifier) && mayAssert(name, file.path))) return undefined
      return 'it runs anywhere, so nothing from Node'
    }
    const dependency = dependencyOf(specifier)
    const short = shortName(dependency)
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies }
    if (dependency === manifest.name) return undefined
    if (!(dependency in declared)) return `${dependency} is not in its dependencies`
    if (short === undefined) {
      return rule.libraries.has(dependency) || row.libraries.has(dependency)
        ? undefined
        : 'not a library of its row'
    }
    const permissions = [rule, row].map(({ imports }) =>
      imports === 'everything' ? { typesOnly: false } : imports.get(short),
    )
    if (permissions.every((permission) => permission === undefined)) return 'its row does not allow it'
    const typesOnly = permissions.every((permission) => permission === undefined || permission.typesOnly)
    return typesOnly && !typeOnly ? 'its row allows types only: use import type' : undefined
  }
  const exempt = !anywhere || (name === 'kernel' && file.path === 'src/clock.ts')
  return [
    ...imports.flatMap((each) => {
      const reason = importReason(each)
      return reason === undefined
        ? []
        : [`${name}/${file.path}:${each.line}: imports ${each.specifier}: ${reason}`]
    }),
    ...globals
      .filter((use) => !exempt && outsideWorld.test(use.name))
      .map((use) => `${name}/${file.path}:${use.line}: uses ${use.name}: it comes in as an argument`),
  ]
}

function testImportViolations(
  table: ArchitectureTable,
  name: string,
  { manifest }: WorkspacePackage,
  file: SourceFile,
): string[] {
  const declared = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.peerDependencies }
  return readSource(file.path, file.text).imports.flatMap(({ specifier, line, typeOnly }) => {
    if (/^(\.|node:)/.test(specifier)) return []
    const dependency = dependencyOf(specifier)
    if (dependency === manifest.name || testTools.has(dependency) || dependency in declared) return []
    if (typeOnly && `@types/${dependency}` in declared) return []
    const allowed = table.tests.get(name)?.imports === 'everything' && shortName(dependency) !== undefined
    return allowed ? [] : [`${name}/${file.path}:${line}: imports ${specifier}: not in its dependencies`]
  })
}

/** The first cycle through each package that has one, development dependencies included. */
function cycles(workspace: readonly WorkspacePackage[]): string[][] {
  const byName = new Map(workspace.map((each) => [each.manifest.name, each]))
  const found: string[][] = []
  const done = new Set<string>()
  const walk = (name: string, path: readonly string[]) => {
    const at = path.indexOf(name)
    if (at >= 0) return void found.push([...path.slice(at), name])
    if (done.has(name)) return
    const manifest = byName.get(name)?.manifest
    for (const next of Object.keys({ ...manifest?.dependencies, ...manifest?.devDependencies })) {
      if (byName.has(next)) walk(next, [...path, name])
    }
    done.add(name)
  }
  for (const name of byName.keys()) walk(name, [])
  return found
}

/** The row with the most to say about a source: a subpath's folder, the command's entry, or the package itself. */
function rowOf(rows: readonly PackageRule[], path: string): PackageRule {
  const row = rows.find(({ name }) => {
    const subpath = name.slice(packageOf(name).length + 1)
    return subpath !== '' && (path === `src/${subpath}.ts` || path.startsWith(`src/${subpath}/`))
  })
  return row ?? (rows.find(({ name }) => name === packageOf(name)) as PackageRule)
}

export function isTest(path: string): boolean {
  return /^(test|bench)\/|\/fixtures\/|\.(test|fixture)\.ts$|\.md$/.test(path)
}

function mayAssert(name: string, path: string): boolean {
  return name === 'conformance' || path.startsWith('src/testing/')
}

function packageOf(row: string): string {
  const [first = '', second = ''] = row.split('/')
  return first === 'apps' ? `${first}/${second}` : first
}

function dependencyOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function shortName(dependency: string): string | undefined {
  return dependency.startsWith(scope) ? dependency.slice(scope.length) : undefined
}
