// Packs every package that is published and looks at the tarballs as a user's tools do: publint and attw on each, then a
// project outside the workspace that installs them all, where the READMEs' code is type-checked and run, and a cluster runs on a
// plugin that is made outside too.
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { codeBlocks } from '../apps/docs/src/code-blocks.ts'
import { readWorkspace, type WorkspacePackage, workspaceRoot } from '../apps/docs/src/workspace.ts'
import { outsidePlugin, packOutsidePlugin, useOutsidePlugin } from './outside-plugin.ts'

const run = promisify(execFile)
const bin = (name: string) => join(workspaceRoot, 'node_modules/.bin', name)
const problems: string[] = []
const contents = `
  list=$(tar -tzf "$1")
  for file in package/README.md package/LICENSE package/package.json; do grep -qx "$file" <<<"$list" || { echo "no $file"; exit 1; }; done
  ! grep -E '^package/(src|test|bench)/|\\.test\\.' <<<"$list"
  ! tar -xzOf "$1" package/package.json | grep -E '@podfabric/source|"(workspace|catalog):'
`

/** Octets of a plugin's executable at most: it is read anew for each call. */
const maxExecutable = 60 * 1024

/** Runs a tool; what it printed becomes a problem when it fails. */
async function check(what: string, command: string, args: readonly string[], cwd: string): Promise<void> {
  try {
    await run(command, args, { cwd, maxBuffer: 1 << 26 })
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string }
    problems.push(`${what}\n${stdout || stderr ? stdout + stderr : message}`)
  }
}

const work = await mkdtemp(join(tmpdir(), 'podfabric-packed-'))
try {
  const published = readWorkspace().filter(({ manifest }) => manifest.private !== true)
  const tarballs = join(work, 'tarballs')
  await mkdir(tarballs)

  const waiting = [...published]
  const packer = async () => {
    for (let each = waiting.shift(); each !== undefined; each = waiting.shift()) await pack(each)
  }
  await Promise.all(Array.from({ length: availableParallelism() }, packer))

  async function pack({ name, manifest, folder }: WorkspacePackage): Promise<void> {
    const packed = await run('npx', ['-y', 'pnpm@12.21.0', 'pack', '--pack-destination', tarballs], {
      cwd: folder,
    })
    const file = (await readdir(tarballs)).find(
      (each) => each === tarballName(manifest.name, manifest.version),
    )
    if (file === undefined)
      throw new Error(`${name}: pnpm pack wrote no tarball\n${packed.stdout}${packed.stderr}`)
    const tarball = join(tarballs, file)
    if (name.startsWith('plugin-')) {
      const { size } = await stat(join(folder, 'dist/bin.js'))
      if (size > maxExecutable)
        problems.push(`${name}: the executable has ${size} octets, at most ${maxExecutable}`)
    }
    await check(`${name}: publint`, bin('publint'), ['run', tarball, '--strict'], folder)
    const typed = Object.values(manifest.exports ?? {}).some((target) => typeof target !== 'string')
    if (typed) await check(`${name}: attw`, bin('attw'), [tarball, '--profile', 'esm-only'], folder)
    await check(
      `${name}: the tarball holds no sources, tests or private condition`,
      'bash',
      ['-euc', contents, '-', tarball],
      folder,
    )
  }

  const outside = join(work, 'outside')
  await mkdir(outside)
  const root = JSON.parse(
    await readFile(join(workspaceRoot, 'node_modules/@types/node/package.json'), 'utf8'),
  )
  const plugin = await packOutsidePlugin(join(work, 'plugin'))
  const files = published.map(({ manifest }) => [
    manifest.name,
    `file:../tarballs/${tarballName(manifest.name, manifest.version)}`,
  ])
  await writeFile(
    join(outside, 'package.json'),
    JSON.stringify({
      private: true,
      type: 'module',
      dependencies: { ...Object.fromEntries(files), [outsidePlugin]: `file:${plugin}` },
      devDependencies: { '@types/node': root.version },
    }),
  )
  await run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: outside,
  })

  const modules = published.flatMap(({ manifest }) =>
    Object.entries(manifest.exports ?? {})
      .filter(([subpath, target]) => typeof target !== 'string' && subpath !== './vitest')
      .map(([subpath]) => manifest.name + subpath.slice(1)),
  )
  await writeFile(
    join(outside, 'every-entry.ts'),
    modules.map((name, index) => `import * as m${index} from '${name}'\nvoid m${index}\n`).join(''),
  )
  const blocks: string[] = []
  for (const { name, folder } of published) {
    for (const { line, text } of codeBlocks(await readFile(join(folder, 'README.md'), 'utf8'), 'ts')) {
      const file = `${name.replaceAll('/', '-')}-readme-line-${line}.ts`
      await writeFile(join(outside, file), text)
      blocks.push(file)
    }
  }
  const strict = [
    '--noEmit',
    '--strict',
    '--target',
    'es2023',
    '--types',
    'node',
    '--lib',
    'es2023,esnext.disposable',
  ]
  for (const [moduleKind, resolution] of [
    ['nodenext', 'nodenext'],
    ['preserve', 'bundler'],
  ] as const) {
    await check(
      `types outside the workspace, moduleResolution ${resolution}`,
      bin('tsc'),
      [...strict, '--module', moduleKind, '--moduleResolution', resolution, 'every-entry.ts', ...blocks],
      outside,
    )
  }
  for (const file of ['every-entry.ts', ...blocks]) {
    await check(
      `${file}, run outside the workspace`,
      process.execPath,
      ['--disable-warning=ExperimentalWarning', file],
      outside,
    )
  }

  await useOutsidePlugin(outside, join(work, 'state')).catch((error: unknown) => {
    const { message, stderr = '' } = error as Error & { stderr?: string }
    problems.push(`up --plugin ${outsidePlugin}, outside the workspace\n${message}\n${stderr}`)
  })

  for (const problem of problems) console.error(problem.trimEnd())
  console.log(
    `${published.length} packages packed, ${modules.length} entries and ${blocks.length} README blocks used outside the workspace, a cluster on a plugin of its own: ${problems.length} problems`,
  )
  if (problems.length > 0) process.exitCode = 1
} finally {
  await rm(work, { recursive: true, force: true })
}

function tarballName(name: string, version: string): string {
  return `${name.replace('@', '').replace('/', '-')}-${version}.tgz`
}
