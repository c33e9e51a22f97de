import type { Environment } from '../call.ts'
import { formatError } from '../error-object.ts'
import type { JsonLimits } from '../parse-json.ts'
import { toCniError } from '../to-cni-error.ts'
import { newestCniVersion } from '../version.ts'
import type { PluginHost } from './host.ts'
import { runVerb } from './run-verb.ts'
import { readAll } from './stdin.ts'

/** Where a process' output goes. `process.stdout` is one. */
export interface Output {
  write(text: string): unknown
}

/** A process, by its parts: everything that an executable plugin touches beside its context. */
export interface ProcessEdge {
  readonly env: Environment
  readonly stdin: AsyncIterable<Uint8Array | string>
  readonly stdout: Output
  readonly stderr: Output
  /** Aborted when the process is told to end. */
  readonly signal?: AbortSignal | undefined
  readonly limits?: JsonLimits
}

/**
 * A plugin executable: one call, read from `env` and `stdin`; resolves to the exit code once the one document is written.
 *
 * `stdout` belongs to that document from the call on: its `write` is replaced, and whatever else is written to it (a plugin's
 * console.log, a library's warning) goes to `stderr`, before and after. What writes to the file descriptor past the
 * object cannot be caught.
 */
export async function skel(host: PluginHost, edge: ProcessEdge): Promise<0 | 1> {
  const { env, stdin, stdout, stderr, signal, limits } = edge
  const print = stdout.write.bind(stdout)
  stdout.write = (...given: Parameters<Output['write']>) => stderr.write(...given)
  const commanded = (env.CNI_COMMAND ?? '') !== ''
  if (!commanded) {
    stderr.write(
      `${host.type}: a CNI plugin, called by container runtimes; versions ${host.versions.join(', ')}\n`,
    )
  }
  let octets: Uint8Array
  try {
    // Without a command there is no input to wait for: somebody at a terminal has called it by hand.
    octets = commanded ? await readAll(stdin) : new Uint8Array()
  } catch (error) {
    print(`${JSON.stringify(formatError(toCniError(error), newestCniVersion))}\n`)
    return 1
  }
  const warn = (message: string) => void stderr.write(`${message}\n`)
  const { stdout: document, exitCode } = await runVerb(
    { env, stdin: octets, signal, warn, ...(limits && { limits }) },
    host,
  )
  if (document !== '') print(document)
  return exitCode
}
