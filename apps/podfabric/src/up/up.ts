import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Failure } from '../failure.ts'
import { loadManifests } from '../manifests.ts'
import type { Output } from '../output.ts'
import { choosePlugins } from '../plugins.ts'
import type { Invocation } from '../program.ts'
import { ask, isUp } from './client.ts'
import { runCluster } from './run-cluster.ts'
import type { StateFolder } from './state-folder.ts'

export interface UpContext {
  readonly words: readonly string[]
  readonly state: StateFolder
  readonly version: string
  readonly output: Output
}

/** Starts a cluster in the background and waits until it answers; with `--foreground` it is this process. */
export async function up(invocation: Invocation, context: UpContext): Promise<number> {
  const { options } = invocation
  const { state, output } = context
  if (await isUp(state.socket)) {
    throw new Failure('usage', `a cluster is up already (${state.socket}); end it first: podfabric down`)
  }
  await rm(state.socket, { force: true })
  // Mistakes are found here, before anything runs.
  const objects = await loadManifests(options.file as string[], output)
  const choice = await choosePlugins({
    plugin: options.plugin as string,
    network: options.network as string | undefined,
    folder: process.cwd(),
  })
  if (options.foreground !== true) return startInBackground(context)
  const { nodes, seed, dns } = options as { nodes: number; seed: number; dns?: string }
  const running = await runCluster({ ...context, objects, choice, nodes, seed, dns })
  output.note(
    `a cluster of ${nodes} nodes is up on network ${choice.network.name}; end it with podfabric down or Ctrl-C`,
  )
  await Promise.race([running.ended, interrupted()])
  await running.close()
  return 0
}

/** The same command again, as a process of its own that outlives this one. */
async function startInBackground({ words, state, output }: UpContext): Promise<number> {
  const log = openSync(state.log, 'w', 0o600)
  const entry = process.argv[1] ?? ''
  const child = spawn(process.execPath, [...process.execArgv, entry, ...words, '--foreground'], {
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const exited = new Promise<'exited'>((resolve) => {
    child.once('exit', () => resolve('exited'))
    child.once('error', () => resolve('exited'))
  })
  while (!(await isUp(state.socket))) {
    const outcome = await Promise.race([exited, pause()])
    if (outcome === 'exited') {
      throw new Failure('failed', `the cluster did not come up:\n${readFileSync(state.log, 'utf8').trim()}`)
    }
  }
  child.unref()
  const nodes = { line: (text: string) => output.line(text), note: (text: string) => output.note(text) }
  return ask(state.socket, { words: ['get', 'nodes'], folder: process.cwd() }, nodes)
}

const pause = () => new Promise<'waiting'>((resolve) => setTimeout(() => resolve('waiting'), 50))

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
}

/** Ends the cluster that is up, and waits until it is gone. */
export async function down({ state, output, words }: UpContext): Promise<number> {
  const exitCode = await ask(state.socket, { words, folder: process.cwd() }, output)
  while (await isUp(state.socket)) await pause()
  output.note('the cluster is down')
  return exitCode
}
