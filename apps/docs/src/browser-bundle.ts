import { build } from 'esbuild'

/**
 * Bundles one entry for a browser from the workspace's sources, and returns every import of a Node module on the way,
 * as `module, from file`. Empty means that it runs in a browser. `node:assert` is left out where `mayAssert`.
 */
export async function nodeImportsInBundle(entry: string, { mayAssert = false } = {}): Promise<string[]> {
  const found: string[] = []
  await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'esm',
    target: 'es2023',
    conditions: ['@podfabric/source'],
    logLevel: 'silent',
    plugins: [
      {
        name: 'node-imports',
        setup({ onResolve }) {
          onResolve({ filter: /^node:/ }, ({ path, importer }) => {
            if (!(mayAssert && /^node:assert(\/strict)?$/.test(path))) found.push(`${path}, from ${importer}`)
            return { path, external: true }
          })
        },
      },
    ],
  })
  return found
}
