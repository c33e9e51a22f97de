import {
  CniError,
  type CniVersion,
  type ExecOutcome,
  type Log,
  type PluginFactory,
  parseCall,
} from '@podfabric/cni'
import { decodeStdin, readAll, skel } from '@podfabric/cni/skel'
import { type AgentCall, failedOutcome, handedOverFrom } from '../protocol.ts'
import { callAgent } from './call-agent.ts'
import { socketPathFrom } from './socket-path.ts'

/** What an executable has to know of its plugin. */
export interface ExecutablePlugin {
  /** The plugin's `type`, and the file's name. */
  readonly type: string
  readonly versions: readonly CniVersion[]
  /**
   * Loads the plugins that run in this process when no agent answers: this one, and those that it may delegate to here; others
   * are executed from CNI_PATH. Missing: without an agent the answer is CNI_NOT_AVAILABLE.
   */
  readonly plugins?: () => Promise<Readonly<Record<string, PluginFactory>>>
}

/**
 * The whole of a plugin executable: hands its call to the node's agent, which has the kernel, the store and the plugin, and
 * prints what comes back. When no agent answers, nothing was applied, and this process runs the plugin itself on the same state.
 * VERSION needs neither, nor does saying what it is when it is called by hand. SIGTERM and SIGINT give the call up: what was begun
 * is undone. Sets the process' exit code.
 */
export async function run(plugin: ExecutablePlugin): Promise<void> {
  const { env, stdin, stdout, stderr } = process
  const command = env.CNI_COMMAND ?? ''
  process.exitCode =
    command === '' || command === 'VERSION'
      ? await skel({ ...plugin, plugin: isWithTheAgent }, { env, stdin, stdout, stderr })
      : await handOver(plugin)
}

async function handOver(plugin: ExecutablePlugin): Promise<number> {
  const { stdout, stderr, exitCode } = await outcomeOf(plugin)
  if (stderr !== '') process.stderr.write(stderr)
  if (stdout !== '') process.stdout.write(stdout)
  return exitCode
}

async function outcomeOf({ type, plugins }: ExecutablePlugin): Promise<ExecOutcome> {
  let stdin = ''
  try {
    stdin = decodeStdin(await readAll(process.stdin))
    // A call that makes no sense is refused here, with or without an agent.
    parseCall(process.env)
    const call = { type, env: handedOverFrom(process.env), stdin }
    try {
      return await callAgent(socketPathFrom(process.env), call)
    } catch (error) {
      const absent = error instanceof CniError && error.code === 'CNI_NOT_AVAILABLE'
      if (!absent || plugins === undefined) throw error
      return await runHere(call, await plugins())
    }
  } catch (error) {
    return failedOutcome(error, stdin)
  }
}

async function runHere(
  call: AgentCall,
  plugins: Readonly<Record<string, PluginFactory>>,
): Promise<ExecOutcome> {
  const given = new AbortController()
  const giveUp = () => given.abort(new CniError('CNI_TRY_AGAIN_LATER', 'the executable was told to end'))
  process.once('SIGTERM', giveUp).once('SIGINT', giveUp)
  // By its name and only now: it is not bundled into executables, and one whose agent answers never loads it.
  const { nodeAgent } = await import('@podfabric/agent/exec/node-agent')
  const hosting = await nodeAgent({ plugins, log: onStderr })
  try {
    return await hosting.serve(call, { signal: given.signal })
  } finally {
    await hosting[Symbol.asyncDispose]()
  }
}

/** What an operator should know goes where runtimes log it; the rest has no reader here. */
const onStderr: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message, facts = {}) => void process.stderr.write(`${message} ${JSON.stringify(facts, shown)}\n`),
  error: (message, facts = {}) => void process.stderr.write(`${message} ${JSON.stringify(facts, shown)}\n`),
}

function shown(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value
}

function isWithTheAgent(): never {
  throw new TypeError('a plugin executable has no plugin: its call goes to the agent')
}
