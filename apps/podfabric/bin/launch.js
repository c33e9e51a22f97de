// Starts a program of this package with a Node that can run it. Old hosts must be able to read this file: plain JavaScript only.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const home = join(dirname(fileURLToPath(import.meta.url)), '..')
const [major, minor] = process.versions.node.split('.').map(Number)
const supported = major > 22 || (major === 22 && minor >= 18)

/** Threads for what waits in the kernel: each of many links in deletion takes one for some 20 ms. Node has four of itself. */
const threads = '32'

/** `name` is that of a module at the top of `src` and, built, of `dist`. */
export async function launch(name) {
  // Node reads it when the first thread is needed, which is later than this.
  process.env.UV_THREADPOOL_SIZE ??= threads
  // In a clone the sources run as they are, so that they are never older than what was edited; a published package has only dist.
  const source = join(home, 'src', `${name}.ts`)
  const flags = existsSync(source)
    ? ['--conditions=@podfabric/source', '--disable-warning=ExperimentalWarning', source]
    : undefined
  const dist = join(home, 'dist', `${name}.js`)
  if (supported && flags === undefined) {
    await import(pathToFileURL(dist).href)
    return
  }
  const node = supported ? process.execPath : pinnedNode()
  if (node === undefined) {
    console.error(
      `podfabric: needs Node 22.18 or later, this is ${process.versions.node}; install a newer Node and run it again`,
    )
    process.exit(1)
  }
  run(node, [...(flags ?? [dist]), ...process.argv.slice(2)])
}

function pinnedNode() {
  const require = createRequire(import.meta.url)
  try {
    const node = join(dirname(require.resolve(`node-linux-${process.arch}/package.json`)), 'bin', 'node')
    return existsSync(node) ? node : undefined
  } catch {
    return undefined // not installed on this platform
  }
}

function run(node, args) {
  const child = spawn(node, args, { stdio: 'inherit' })
  process.on('SIGINT', () => {}) // the terminal sends it to the child too
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    console.error(`podfabric: ${node} does not start: ${error.message}`)
    process.exitCode = 1
  })
  child.on('close', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}
