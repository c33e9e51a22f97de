import { existsSync, readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

// One build for every package, run in the package's folder. Entries are the sources that its exports map and its
// commands name; the declarations come from tsc. A plugin's executable is one file with all that it needs: container
// runtimes start it once for each call, and it may be copied to where they look.
const manifest: { name: string; exports?: Record<string, string | { '@podfabric/source'?: string }> } =
  JSON.parse(readFileSync('package.json', 'utf8'))
const exported = Object.values(manifest.exports ?? {}).flatMap((target) =>
  typeof target === 'string' ? [] : (target['@podfabric/source'] ?? []),
)
const isPlugin = manifest.name.startsWith('@podfabric/plugin-')
const commands = ['src/bin.ts', 'src/cli.ts', 'src/cni.ts'].filter((file) => existsSync(file))

const shared = {
  format: 'esm',
  target: 'node22.18',
  platform: 'node',
  dts: false,
  sourcemap: false,
  removeNodeProtocol: false,
  silent: true,
} as const

function entries(files: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    files.map((file) => [file.replace(/^(\.\/)?src\//, '').replace(/\.ts$/, ''), file]),
  )
}

const onDemand = [manifest.name, '@podfabric/agent/exec/node-agent']

const library = {
  ...shared,
  external: onDemand,
  entry: entries(isPlugin ? exported : [...exported, ...commands]),
  splitting: true,
  clean: ['dist'],
  minify: false,
}

// From the sources, module by module, so that what the executable does not use stays out of it. What it loads only when no
// agent answers stays in its packages, where the kernel's native library is found.
const executable = {
  ...shared,
  entry: entries(commands),
  splitting: false,
  external: onDemand,
  noExternal: [/^(?!@podfabric\/(plugin-[^/]+|agent\/exec\/node-agent)$)/],
  minify: true,
  esbuildOptions: (options: { conditions?: string[] }) => {
    options.conditions = ['@podfabric/source']
  },
}

export default defineConfig(isPlugin ? [library, executable] : library)
