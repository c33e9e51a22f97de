import { spawn } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { CniError, type Exec, type ExecOutcome } from '@podfabric/cni'

/** Executables as plugins, found in the folders of a call's CNI_PATH, run with its variables and the rest of `env`. */
export function execOnPath(env: Readonly<Record<string, string | undefined>>): Exec {
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('CNI_')))
  return {
    async run(type, call, stdin, { signal } = {}) {
      signal?.throwIfAborted()
      const file = await find(
        type,
        (call.CNI_PATH ?? '').split(':').filter((folder) => folder !== ''),
      )
      const outcome = await execute(file, { ...rest, ...call }, stdin, signal)
      signal?.throwIfAborted()
      return outcome
    },
  }
}

async function find(type: string, path: readonly string[]): Promise<string> {
  for (const folder of path) {
    const file = join(folder, type)
    try {
      await access(file, constants.X_OK)
      return file
    } catch {
      // The next folder may have it; when none does, all of them are named.
    }
  }
  const where = path.join(', ') || 'CNI_PATH, which is empty'
  throw new CniError('CNI_INVALID_NETWORK_CONFIG', `there is no plugin ${type} in ${where}`)
}

function execute(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  stdin: string,
  signal: AbortSignal | undefined,
): Promise<ExecOutcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [], {
      env,
      stdio: 'pipe',
      ...(signal && { signal, killSignal: 'SIGKILL' as const }),
    })
    const heard = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        heard[name] += text
      })
    }
    // A plugin need not read all of it.
    child.stdin.on('error', () => undefined)
    child.stdin.end(stdin)
    child.on('error', (cause) => {
      if (signal?.aborted) return reject(signal.reason)
      reject(new CniError('CNI_IO_FAILURE', `${file} cannot be run: ${cause.message}`, { cause }))
    })
    child.on('close', (code) => resolve({ ...heard, exitCode: code ?? 137 }))
  })
}
