import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { PluginFactory } from '@podfabric/cni'
import { ConformanceError } from '../failure.ts'
import { typeOf } from '../harness/node.ts'
import { agentExecutables, executables } from '../node/index.ts'
import type { Subject } from '../subject.ts'
import { parseSubjectList } from '../subject-list.ts'
import type { Options } from './options.ts'

/** The subject that the command line names. Throws CONFORMANCE_BAD_INPUT, naming what is not there or is something else. */
export async function loadSubject(options: Options): Promise<Subject> {
  const config = await text(options.config, '--config')
  const list = parseSubjectList(config, options.config)
  const plugins = Object.fromEntries(
    await Promise.all(
      options.with.map(async (what) => {
        const factory = await loadFactory(what, '--with')
        return [typeOf(factory), factory] as const
      }),
    ),
  )
  const { small, multiNode, ifName } = options
  const facts = {
    config,
    ...(small && { small: { config: await text(small.file, '--small'), addresses: small.addresses } }),
    ...(multiNode && { multiNode }),
    ...(ifName !== undefined && { ifName }),
  }
  if (!(await isExecutable(options.plugin))) {
    const factory = await loadFactory(options.plugin, '--plugin')
    const [first] = list.plugins
    if (first?.type !== typeOf(factory)) {
      throw bad(`${options.config} begins with a plugin ${first?.type}, but --plugin is ${typeOf(factory)}`)
    }
    return { kind: 'factory', factory, plugins, ...facts }
  }
  const file = resolve(options.plugin)
  if (list.plugins[0]?.type !== basename(file)) {
    throw bad(
      `${options.config} begins with a plugin ${list.plugins[0]?.type}, but --plugin is ${basename(file)}`,
    )
  }
  const path = [dirname(file), ...options.path]
  const exec = options.serve ? agentExecutables({ path, plugins }) : executables({ path })
  return { kind: 'executable', exec, path, ...facts }
}

const modules = /\.[cm]?[jt]s$/

/** A file that is there and is no module. */
async function isExecutable(what: string): Promise<boolean> {
  if (modules.test(what)) return false
  const found = await stat(what).catch(() => undefined)
  if (found?.isDirectory())
    throw bad(`--plugin ${what} is a folder; name a package, a module or an executable`)
  return found !== undefined
}

async function loadFactory(what: string, option: string): Promise<PluginFactory> {
  const loaded: unknown = await load(what, option)
  const factory =
    typeof loaded === 'object' && loaded !== null && 'default' in loaded ? loaded.default : undefined
  if (typeof factory !== 'function') throw bad(`${option} ${what}: its default export is no plugin factory`)
  // That it is a factory is seen when it is called: it makes what has a type and verbs.
  const plugin: unknown = factory
  return plugin as PluginFactory
}

async function load(what: string, option: string): Promise<unknown> {
  try {
    return await import(pathToFileURL(locate(what)).href)
  } catch (cause) {
    throw bad(`${option} ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** A file as it is named; a package as a module in the current folder would find it. */
function locate(what: string): string {
  if (modules.test(what)) return resolve(what)
  return createRequire(join(process.cwd(), 'conformance.js')).resolve(what)
}

async function text(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw bad(`${option} ${file}: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

function bad(message: string, cause?: unknown): ConformanceError {
  return new ConformanceError('CONFORMANCE_BAD_INPUT', message, { cause })
}
