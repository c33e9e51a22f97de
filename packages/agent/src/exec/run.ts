import { type ExecOutcome, type PluginFactory, parseCall } from '@podfabric/cni'
import { decodeStdin, type PluginHost, pluginHost, readAll, skel } from '@podfabric/cni/skel'
import { failedOutcome, handedOverFrom } from '../protocol.ts'
import { callAgent } from './call-agent.ts'
import { socketPathFrom } from './socket-path.ts'

/**
 * The whole of a plugin executable: hands its call to the node's agent, which has the kernel, the store and the plugin, and
 * prints what comes back. VERSION needs no agent, and neither does saying what it is when it is called by hand. Sets the
 * process' exit code. From the call on, whatever else is written to stdout goes to stderr: no plugin can spoil its answer.
 */
export async function run(factory: PluginFactory): Promise<void> {
  const { env, stdin, stdout, stderr } = process
  const answer = { write: stdout.write.bind(stdout) }
  stdout.write = stderr.write.bind(stderr)
  const host = pluginHost(factory, noContext)
  const command = env.CNI_COMMAND ?? ''
  process.exitCode =
    command === '' || command === 'VERSION'
      ? await skel(host, { env, stdin, stdout: answer, stderr })
      : await handOver(host, answer)
}

async function handOver(host: PluginHost, answer: Pick<NodeJS.WriteStream, 'write'>): Promise<number> {
  const { stdout, stderr, exitCode } = await outcomeOf(host)
  if (stderr !== '') process.stderr.write(stderr)
  if (stdout !== '') answer.write(stdout)
  return exitCode
}

async function outcomeOf({ type }: PluginHost): Promise<ExecOutcome> {
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

function noContext(): never {
  throw new TypeError('a plugin executable works through the agent')
}
