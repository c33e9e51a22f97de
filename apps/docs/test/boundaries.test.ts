import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseArchitecture } from '../src/architecture-table.ts'
import { boundaryViolations, unusedDependencies } from '../src/boundaries.ts'
import { readWorkspace, type WorkspacePackage, workspaceRoot } from '../src/workspace.ts'

const table = parseArchitecture(readFileSync(join(workspaceRoot, 'apps/docs/architecture.md'), 'utf8'))

describe('the workspace', () => {
  it('is what the table in architecture.md says', () => {
    expect(boundaryViolations(table, readWorkspace())).toEqual([])
  })

  it('depends on nothing that nothing imports', () => {
    expect(unusedDependencies(readWorkspace())).toEqual([])
  })
})

describe('a workspace that breaks one rule is told so', () => {
  const small = parseArchitecture(`
| package | what it is | may import | libraries | runs |
| --- | --- | --- | --- | --- |
| \`low\` | the lowest | – | \`yaml\` | anywhere |
| \`kernel\` | the contract | \`low\` | – | anywhere |
| \`kernel-sim\` | one implementation | \`kernel\` | – | anywhere |
| \`plugin\` | a network | \`kernel\`°, \`low\` | – | anywhere |
| \`plugin/bin\` | its command | \`kernel-sim\` | – | Node |

| who | may also import in tests | libraries |
| --- | --- | --- |
| \`plugin\` | \`kernel-sim\` | \`oracle\` |
`)
  const good = (): Record<string, WorkspacePackage> => ({
    low: made(
      'low',
      {},
      { 'src/index.ts': `import { parse } from 'yaml'\nexport const read = parse` },
      { yaml: 'catalog:' },
    ),
    kernel: made(
      'kernel',
      { low: 1 },
      { 'src/testing/index.ts': `import { equal } from 'node:assert/strict'\nexport { equal }` },
    ),
    'kernel-sim': made('kernel-sim', { kernel: 1 }, { 'src/index.ts': `export * from '@podfabric/kernel'` }),
    plugin: made(
      'plugin',
      { kernel: 1, low: 1, 'kernel-sim': 1 },
      {
        'src/index.ts': `import type { Kernel } from '@podfabric/kernel'\nexport type K = Kernel`,
        'src/bin.ts': `import '@podfabric/kernel-sim'\nimport { argv } from 'node:process'\nconsole.log(argv)`,
        'src/index.test.ts': `import { it } from 'vitest'\nimport '@podfabric/kernel-sim'\nit('x', () => {})`,
      },
    ),
  })
  const source = (name: string, text: string, path = 'src/index.ts') => {
    const workspace = good()
    const broken = workspace[name] as WorkspacePackage
    workspace[name] = { ...broken, files: [{ path, text }] }
    return boundaryViolations(small, Object.values(workspace))
  }

  it('and one that breaks none is not', () => {
    expect(boundaryViolations(small, Object.values(good()))).toEqual([])
  })

  it.each([
    [
      'a package beside the table',
      'plugin',
      `import { x } from '@podfabric/conformance'`,
      'is not in its dependencies',
    ],
    [
      'a kernel in a plugin',
      'plugin',
      `import { simulate } from '@podfabric/kernel-sim'`,
      'its row does not allow it',
    ],
    [
      'a kernel loaded on demand',
      'plugin',
      `export const k = () => import('@podfabric/kernel-sim')`,
      'its row does not allow it',
    ],
    [
      'a kernel passed on',
      'plugin',
      `export { simulate } from '@podfabric/kernel-sim'`,
      'its row does not allow it',
    ],
    [
      'a type of a kernel',
      'plugin',
      `export type S = import('@podfabric/kernel-sim').Simulation`,
      'its row does not allow it',
    ],
    [
      'a value where types are allowed',
      'plugin',
      `import { type Kernel } from '@podfabric/kernel'`,
      'types only',
    ],
    ['an undeclared library', 'low', `import { z } from 'zod'`, 'zod is not in its dependencies'],
    [
      'Node in a package for browsers',
      'low',
      `import { readFile } from 'node:fs/promises'`,
      'nothing from Node',
    ],
    ['assertions outside the contract suite', 'kernel', `import 'node:assert'`, 'nothing from Node'],
    ['a relative import without its ending', 'low', `import './other'`, 'ends in .ts'],
    ['a fixture in a source', 'low', `import './fixtures/frames.ts'`, 'a source imports no test'],
    ['the wall clock', 'low', `export const now = () => Date.now()`, 'uses Date.now'],
    ['the wall clock in a date', 'low', `export const today = () => new Date()`, 'uses new Date'],
    ['unseeded randomness', 'low', `export const roll = Math.random`, 'uses Math.random'],
    ['printing', 'low', `console.log(1)`, 'uses console.log'],
    ['the environment', 'low', `export const home = process.env['HOME']`, 'uses process.env'],
    ['a Buffer', 'low', `export const bytes = Buffer.from([1])`, 'uses Buffer.from'],
  ])('%s', (_what, name, text, reason) => {
    const violations = source(name, text)
    expect(violations).toHaveLength(1)
    expect(violations[0]).toMatch(new RegExp(`^${name}/src/index.ts:1: .*${reason}`))
  })

  it('names of properties and pure functions are not uses of the outside world', () => {
    expect(
      source('low', `export const a = (x: { process: number }) => x.process + Math.abs(-1) + +new Date(0)`),
    ).toEqual([])
  })

  it('a package.json with a dependency beside the table, or outside workspace and catalog', () => {
    const workspace = good()
    workspace.low = made('low', { plugin: 1 }, {}, { yaml: '^2.0.0' })
    expect(boundaryViolations(small, Object.values(workspace))).toEqual([
      'low/package.json: dependencies has @podfabric/plugin, which its row does not allow',
      'low/package.json: yaml is "^2.0.0", not from the catalog',
      expect.stringMatching(/^packages depend on each other: @podfabric\/low → .* → @podfabric\/low$/),
      expect.stringMatching(/^packages depend on each other: /),
    ])
  })

  it('a dependency that only tests import, and a development one that nothing does', () => {
    const files = {
      'src/index.test.ts': `import '@podfabric/low'`,
      'README.md': `import '@podfabric/kernel'`,
    }
    const each = made('plugin', { low: 1, kernel: 1 }, files)
    const { dependencies, ...manifest } = each.manifest
    expect(unusedDependencies([each])).toEqual([
      'plugin/package.json: nothing imports @podfabric/low of its dependencies',
      'plugin/package.json: nothing imports @podfabric/kernel of its dependencies',
    ])
    const devDependencies = { ...dependencies, oracle: 'catalog:' }
    expect(unusedDependencies([{ ...each, manifest: { ...manifest, devDependencies } }])).toEqual([
      'plugin/package.json: nothing imports oracle of its devDependencies',
    ])
  })

  it('a package without a row and a row without a package', () => {
    const workspace: Record<string, WorkspacePackage> = { ...good(), extra: made('extra', {}, {}) }
    delete workspace.low
    expect(boundaryViolations(small, Object.values(workspace))).toEqual(
      expect.arrayContaining([
        'architecture.md: low has a row and no folder',
        'extra: no row in architecture.md',
      ]),
    )
  })
})

function made(
  name: string,
  dependencies: Record<string, 1>,
  files: Record<string, string>,
  libraries: Record<string, string> = {},
): WorkspacePackage {
  const scoped = Object.keys(dependencies).map((short) => [`@podfabric/${short}`, 'workspace:*'])
  return {
    name,
    folder: `/nowhere/${name}`,
    manifest: {
      name: `@podfabric/${name}`,
      version: '0.1.0',
      dependencies: { ...Object.fromEntries(scoped), ...libraries },
    },
    files: Object.entries(files).map(([path, text]) => ({ path, text })),
  }
}
