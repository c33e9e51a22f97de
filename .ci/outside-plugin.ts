// A plugin as somebody else makes it: a package of its own, of the sample's source, that depends on packed tarballs alone.
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { workspaceRoot } from '../apps/docs/src/workspace.ts'

const run = promisify(execFile)
const sample = join(workspaceRoot, 'packages/plugin-sample')

/** Name of the package, and where `up --plugin` finds it. */
export const outsidePlugin = 'acme-net'

/** Writes and packs it in `folder`; resolves to its tarball. */
export async function packOutsidePlugin(folder: string): Promise<string> {
  await mkdir(folder)
  const { dependencies, version } = await json(join(sample, 'package.json'))
  const valibot = await json(join(sample, 'node_modules/valibot/package.json'))
  const source = await readFile(join(sample, 'src/sample.ts'), 'utf8')
  const imported = [...source.matchAll(/ from '([^.'][^']*)'/g)].map(([, name = '']) => name)
  const unknown = imported.filter((name) => !Object.hasOwn(dependencies, name))
  if (unknown.length > 0)
    throw new Error(`the sample imports ${unknown.join(', ')} and does not depend on it`)
  await writeFile(join(folder, 'index.js'), stripTypeScriptTypes(source.replaceAll("'sample'", "'acme'")))
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({
      name: outsidePlugin,
      version: '1.0.0',
      type: 'module',
      exports: { '.': { import: './index.js' } }, // for `import` alone, as many packages are
      dependencies: Object.fromEntries(
        imported.map((name) => [name, name === 'valibot' ? valibot.version : version]),
      ),
    }),
  )
  await run('npm', ['pack', '--ignore-scripts', '--loglevel=error'], { cwd: folder })
  return join(folder, `${outsidePlugin}-1.0.0.tgz`)
}

/** Runs a cluster on it with the packed command: up, every pod to every other, down. Rejects with what was said when any of it fails. */
export async function useOutsidePlugin(outside: string, state: string): Promise<void> {
  const env = { ...process.env, PODFABRIC_STATE: state }
  const podfabric = (...words: string[]) =>
    run(join(outside, 'node_modules/.bin/podfabric'), words, { cwd: outside, env })
  const manifests = join(workspaceRoot, 'apps/podfabric/manifests')
  try {
    // Its network is that of one machine.
    await podfabric('up', '-f', manifests, '--plugin', outsidePlugin, '--nodes', '1')
    const { stdout } = await podfabric('get', 'pods')
    if (!/ 10\.99\.0\.\d+ /.test(stdout)) throw new Error(`no pod has an address of the plugin:\n${stdout}`)
    await podfabric('ping', '--all')
  } finally {
    await podfabric('down')
  }
}

async function json(file: string) {
  return JSON.parse(await readFile(file, 'utf8'))
}
