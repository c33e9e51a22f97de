import { rmSync } from 'node:fs'
import { exitCodeOf, explain, Failure } from '../failure.ts'
import type { Output } from '../output.ts'
import type { Invocation } from '../program.ts'
import { type Starter, starterOf, startInBackground, startInForeground } from './background.ts'
import { ask, isUp } from './client.ts'
import { clearLeft, leftWords } from './left-cluster.ts'
import { type RunningCluster, runCluster } from './run-cluster.ts'
import type { StateFolder } from './state-folder.ts'
import { wayToLinux } from './user-namespace.ts'

export interface UpContext {
  readonly words: readonly string[]
  readonly state: StateFolder
  readonly version: string
  readonly output: Output
}

/** Starts a cluster in the background and waits until it is up; with `--foreground` it is this process. */
export async function up(invocation: Invocation, context: UpContext): Promise<number> {
  const { words, state, output } = context
  const starter = starterOf(process)
  const way = invocation.options.kernel === 'linux' ? await wayToLinux() : undefined
  if (invocation.options.foreground === true) {
    return way ? startInForeground(way, context) : upHere(invocation, context, starter)
  }
  if (await isUp(state.socket))
    throw new Failure('usage', `a cluster is up already (${state.socket}); end it first: podfabric down`)
  return startInBackground({ words: [...words, '--foreground'], state, output, way })
}

async function upHere(
  { options }: Invocation,
  { words, state, version, output: own }: UpContext,
  starter: Starter | undefined,
): Promise<number> {
  const output = starter?.output ?? own
  // In the background the process' own output is the log.
  const record = (line: string) => {
    if (starter) own.note(`${new Date().toISOString()} ${line}`)
  }
  const interrupted = interruption(starter)
  record(`podfabric ${version}, process ${process.pid}: ${words.join(' ')}`)
  let running: RunningCluster
  try {
    running = await runCluster({
      files: options.file as string[],
      plugin: String(options.plugin),
      network: options.network as string | undefined,
      nodes: Number(options.nodes),
      kernel: options.kernel === 'linux' ? 'linux' : 'sim',
      seed: Number(options.seed),
      dns: options.dns as string | undefined,
      folder: process.cwd(),
      state,
      version,
      output,
      record,
    })
  } catch (error) {
    if (!starter) throw error
    for (const line of explain(error)) {
      output.note(`podfabric: ${line}`)
      record(line)
    }
    starter.finish(exitCodeOf(error))
    return exitCodeOf(error)
  }
  output.note(
    `plugin executables of this machine reach a node through PODFABRIC_AGENT=${state.agentSocket('NODE')}`,
  )
  if (starter) output.note(`its log is ${state.log}`)
  const end = starter ? 'podfabric down' : 'podfabric down, or Ctrl-C'
  output.note(
    `go on with podfabric get pods, podfabric ping --all, podfabric trace POD POD; end it with ${end}`,
  )
  record('the cluster is up')
  starter?.finish(running.exitCode)
  await Promise.race([running.ended, interrupted])
  await running.close()
  record('the cluster has ended')
  return running.exitCode
}

/** Resolves on a signal, and when whoever started this process went away before the cluster was up. */
function interruption(starter: Starter | undefined): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    starter?.gone.then(resolve, resolve)
  })
}

/** Ends the cluster that is up; resolves when it is gone. Exit code 1 when something of it did not end cleanly: its log says what. */
export async function down({ state, output, words }: UpContext): Promise<number> {
  if (!(await isUp(state.socket))) {
    const cleared = await clearLeft(state)
    if (cleared > 0) {
      rmSync(state.socket, { force: true })
      output.note(leftWords(cleared))
      return 0
    }
  }
  const exitCode = await ask(state.socket, { words, folder: process.cwd() }, output)
  output.note(exitCode === 0 ? 'the cluster is down' : `the cluster did not end cleanly; see ${state.log}`)
  return exitCode
}
