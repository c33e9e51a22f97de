import type { JsonObject } from '@podfabric/cni'
import { CniError } from '@podfabric/cni'
import type { Clock } from '@podfabric/kernel'
import { CaseFailure, ConformanceError } from '../failure.ts'
import type { SubjectList } from '../subject.ts'
import type { Exchange, Verb } from './exchange.ts'
import type { PluginNode } from './node.ts'

/** What one call differs in from the ordinary one. */
export interface CallOptions {
  /** cniVersion of the request. Default: the list's. */
  readonly version?: string
  /** Variables instead of those that the verb has; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Keys of the configuration instead of those that it has; undefined takes one away. */
  readonly config?: Readonly<Record<string, JsonObject[string] | undefined>>
  /** Instead of the configuration. */
  readonly stdin?: string
  /** Which plugin of the list. Default: the first. */
  readonly plugin?: number
  /** The list to take it from. Default: the subject's. */
  readonly list?: SubjectList
}

export type Call = (
  node: PluginNode,
  command: Verb,
  env: Readonly<Record<string, string>>,
  options?: CallOptions,
) => Promise<Exchange>

/** Milliseconds of the world's clock that one call may take. */
const patience = 60_000

export interface CallerOptions {
  readonly list: SubjectList
  readonly path: readonly string[]
  readonly clock: Clock
  /** Told of every call. */
  readonly record: (exchange: Exchange) => void
}

/** Calls one plugin once, as a runtime would (SPEC 1.1.0, section 3, "Deriving request configuration from plugin configuration"). */
export function caller({ list, path, clock, record }: CallerOptions): Call {
  return async (node, command, env, options = {}) => {
    const from = options.list ?? list
    const plugin = from.plugins[options.plugin ?? 0]
    if (plugin === undefined) throw new RangeError(`the list has no plugin ${options.plugin}`)
    const variables = given({ CNI_COMMAND: command, ...env, CNI_PATH: path.join(':'), ...options.env })
    const stdin = options.stdin ?? JSON.stringify(requestOf(from, plugin, options))
    const { stdout, stderr, exitCode } = await answered(clock, `${plugin.type} ${command}`, (signal) =>
      node.exec.run(plugin.type, variables, stdin, { signal }),
    )
    const exchange = {
      node: node.name,
      plugin: plugin.type,
      command,
      env: variables,
      stdin,
      stdout,
      stderr,
      exitCode,
    }
    record(exchange)
    return exchange
  }
}

function requestOf(
  list: SubjectList,
  { capabilities: _asked, runtimeConfig: _given, ...plugin }: JsonObject,
  { version = list.cniVersion, config = {} }: CallOptions,
): object {
  return given({ ...plugin, name: list.name, cniVersion: version, ...config })
}

/** Without the keys that have no value. */
function given<T>(entries: Readonly<Record<string, T | undefined>>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(entries).filter((entry): entry is [string, T] => entry[1] !== undefined),
  )
}

async function answered<T>(clock: Clock, what: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController()
  const late = new Promise<never>((_resolve, reject) => {
    deadline.signal.addEventListener('abort', () => reject(deadline.signal.reason))
  })
  const timer = clock.after(patience, () =>
    deadline.abort(new CaseFailure(`an answer to ${what} within ${patience / 1000} s`, 'none')),
  )
  try {
    return await Promise.race([run(deadline.signal), late])
  } catch (cause) {
    if (!(cause instanceof CniError)) throw cause
    // The plugin was not run at all.
    throw new ConformanceError('CONFORMANCE_BAD_INPUT', cause.message, { cause })
  } finally {
    timer[Symbol.dispose]()
  }
}
