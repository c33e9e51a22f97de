import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseArchitecture } from '../src/architecture-table.ts'
import { nodeImportsInBundle } from '../src/browser-bundle.ts'
import { readWorkspace, workspaceRoot } from '../src/workspace.ts'

const table = parseArchitecture(readFileSync(join(workspaceRoot, 'apps/docs/architecture.md'), 'utf8'))

/** Every exported entry whose row in the table runs anywhere. */
const entries = readWorkspace().flatMap(({ name, folder, manifest }) =>
  Object.entries(manifest.exports ?? {}).flatMap(([subpath, target]) => {
    const row = table.packages.get(name + subpath.slice(1)) ?? table.packages.get(name)
    const source = typeof target === 'string' ? undefined : target['@podfabric/source']
    if (source === undefined || row?.runs !== 'anywhere') return []
    const mayAssert = subpath === './testing' || name === 'conformance'
    return [{ entry: name + subpath.slice(1), file: join(folder, source), mayAssert }]
  }),
)

describe('what runs anywhere bundles for a browser without a module of Node', () => {
  it.each(entries)('$entry', async ({ file, mayAssert }) => {
    expect(await nodeImportsInBundle(file, { mayAssert })).toEqual([])
  })

  it('and there are such entries', () => {
    expect(entries.map(({ entry }) => entry)).toEqual(
      expect.arrayContaining(['netaddr', 'kernel-sim', 'cni/skel']),
    )
  })
})

describe('a bundle', () => {
  const bundle = (text: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'podfabric-bundle-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'entry.ts')
    writeFileSync(file, text)
    return nodeImportsInBundle(file)
  }

  it('with a module of Node names it and the file', async () => {
    expect(await bundle(`export { readFile } from 'node:fs/promises'`)).toEqual([
      expect.stringMatching(/^node:fs\/promises, from .*entry\.ts$/),
    ])
  })

  it('with a module of Node loaded on demand names it too', async () => {
    expect(await bundle(`export const load = () => import('node:net')`)).toHaveLength(1)
  })

  it('with a module of Node under its old name does not build', async () => {
    await expect(bundle(`import 'fs'`)).rejects.toThrow('Could not resolve "fs"')
  })
})
