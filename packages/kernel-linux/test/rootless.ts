import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const unshare = ['-Urnm', '--', process.execPath, '--conditions=@podfabric/source'] as const

/** Why `unshare -Urnm` does not help an ordinary user here; undefined where it does. */
export function rootlessMissing(): string | undefined {
  if (process.platform !== 'linux') return 'there are no user namespaces outside of Linux'
  const { error, status, stderr } = spawnSync('unshare', ['-Urnm', 'true'], { encoding: 'utf8' })
  if (error !== undefined) return `unshare could not be started: ${error.message}`
  return status === 0 ? undefined : `unshare -Urnm: ${stderr.trim()}`
}

/** Runs all cases in a user namespace; the returned function awaits the outcome of one, which may be an error. */
export function runRootless(): (name: string) => Promise<void> {
  const script = fileURLToPath(new URL('./contract-run.ts', import.meta.url))
  const child = spawn('unshare', [...unshare, script], { stdio: ['ignore', 'pipe', 'pipe'] })
  const outcomes = new Map<string, PromiseWithResolvers<void>>()
  const outcomeOf = (name: string) => {
    const known = outcomes.get(name)
    if (known !== undefined) return known
    const made = Promise.withResolvers<void>()
    made.promise.catch(() => undefined)
    outcomes.set(name, made)
    return made
  }
  let complaints = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { name, failure }: { name: string; failure?: string } = JSON.parse(line)
    if (failure === undefined) outcomeOf(name).resolve()
    else outcomeOf(name).reject(new Error(failure))
  })
  const ended = new Promise<never>((_, reject) => {
    child.on('error', reject)
    child.on('close', (code) =>
      reject(new Error(`the process ended with ${code} before this case: ${complaints}`)),
    )
  })
  ended.catch(() => undefined)
  return (name) => Promise.race([outcomeOf(name).promise, ended])
}
