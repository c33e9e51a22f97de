import { type PluginFactory, parseCall } from '@podfabric/cni'
import { type PluginHost, pluginHost, skel } from '@podfabric/cni/skel'
import { failedOutcome, handedOver } from '../protocol.ts'
import { callAgent } from './call-agent.ts'
import { socketPathFrom } from './socket-path.ts'

/**
 * The whole of a plugin executable: hands its call to the node's agent, which has the kernel, the store and the plugin, and
 * prints what comes back. VERSION needs no agent. Sets the process' exit code.
 */
export async function run(factory: PluginFactory): Promise<void> {
  const host = pluginHost(factory, noContext)
  const { CNI_COMMAND } = process.env
  process.exitCode =
    CNI_COMMAND === undefined || CNI_COMMAND === '' || CNI_COMMAND === 'VERSION'
      ? await skel(host, {
          env: process.env,
          stdin: process.stdin,
          stdout: process.stdout,
          stderr: process.stderr,
        })
      : await handOver(host)
}

async function handOver({ type }: PluginHost): Promise<number> {
  const { stdout, stderr, exitCode } = await outcomeOf(type)
  if (stderr !== '') process.stderr.write(stderr)
  if (stdout !== '') process.stdout.write(stdout)
  return exitCode
}

async function outcomeOf(type: string) {
  try {
    // A call that makes no sense is refused here, with or without an agent.
    parseCall(process.env)
    const env = Object.fromEntries(
      handedOver.flatMap((name) => {
        const value = process.env[name]
        return value === undefined ? [] : [[name, value]]
      }),
    )
    return await callAgent(socketPathFrom(process.env), { type, env, stdin: await readStdin() })
  } catch (error) {
    return failedOutcome(error)
  }
}

async function readStdin(): Promise<string> {
  process.stdin.setEncoding('utf8')
  let text = ''
  for await (const chunk of process.stdin) text += chunk
  return text
}

function noContext(): never {
  throw new TypeError('a plugin executable works through the agent')
}
