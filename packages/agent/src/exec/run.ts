import { type CniVersion, type ExecOutcome, parseCall } from '@podfabric/cni'
import { decodeStdin, readAll, skel } from '@podfabric/cni/skel'
import { failedOutcome, handedOverFrom } from '../protocol.ts'
import { callAgent } from './call-agent.ts'
import { socketPathFrom } from './socket-path.ts'

/** What an executable has to know of its plugin; the plugin itself is the agent's. */
export interface ExecutablePlugin {
  /** The plugin's `type`, and the file's name. */
  readonly type: string
  readonly versions: readonly CniVersion[]
}

/**
 * The whole of a plugin executable: hands its call to the node's agent, which has the kernel, the store and the plugin, and
 * prints what comes back. No code of the plugin runs here, so nothing of it can spoil the answer. VERSION needs no agent, and
 * neither does saying what it is when it is called by hand. Sets the process' exit code.
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

async function outcomeOf({ type }: ExecutablePlugin): Promise<ExecOutcome> {
  let stdin = ''
  try {
    stdin = decodeStdin(await readAll(process.stdin))
    // A call that makes no sense is refused here, with or without an agent.
    parseCall(process.env)
    return await callAgent(socketPathFrom(process.env), { type, env: handedOverFrom(process.env), stdin })
  } catch (error) {
    return failedOutcome(error, stdin)
  }
}

function isWithTheAgent(): never {
  throw new TypeError('a plugin executable has no plugin: its call goes to the agent')
}
