import { existsSync, readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

// One build for every package, run in the package's folder. Entries are the sources that its exports map and its
// commands name; the declarations come from tsc.
const manifest: { exports?: Record<string, string | { '@podfabric/source'?: string }> } = JSON.parse(
  readFileSync('package.json', 'utf8'),
)
const exported = Object.values(manifest.exports ?? {}).flatMap((target) =>
  typeof target === 'string' ? [] : (target['@podfabric/source'] ?? []),
)
const commands = ['src/bin.ts', 'src/cli.ts'].filter((file) => existsSync(file))

export default defineConfig({
  entry: Object.fromEntries(
    [...exported, ...commands].map((file) => [file.replace(/^(\.\/)?src\//, '').replace(/\.ts$/, ''), file]),
  ),
  format: 'esm',
  target: 'node22.18',
  platform: 'node',
  splitting: true,
  clean: true,
  dts: false,
  minify: false,
  sourcemap: false,
  removeNodeProtocol: false,
  silent: true,
})
