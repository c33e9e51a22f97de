import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Exec, Log, PluginFactory } from '@podfabric/cni'
import { systemClock } from '@podfabric/kernel'
import { type Agent, agent } from '../agent.ts'
import { bootOfMachine } from './boot.ts'
import { execOnPath } from './exec-on-path.ts'

/** Where a node keeps its state unless it is told otherwise. */
export const defaultStateFolder = '/var/lib/podfabric'
/** The variable by which the environment names another. */
export const stateVariable = 'PODFABRIC_STATE'
/** The variable by which the environment names the node. */
export const nodeVariable = 'PODFABRIC_NODE'

export interface NodeAgentOptions {
  /** The plugins that there are, by their types; they delegate to each other in this process. */
  readonly plugins: Readonly<Record<string, PluginFactory>>
  readonly log: Log
  /** Variables beside those of a call: PODFABRIC_STATE, PODFABRIC_NODE, PATH. Default: the process' own. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Runs plugins that are not among these. Default: executables in the folders of CNI_PATH. */
  readonly elsewhere?: Exec
}

/** An agent with a real kernel and a durable store. Dispose it to stop its controllers and let go of both. */
export type NodeAgent = Agent & AsyncDisposable

/**
 * The agent of the node that this machine is: the Linux kernel, the machine's clock, and the store in `agent.db` of the state
 * folder, which other processes may use at once. EOPNOTSUPP where the kernel cannot be worked on, with the reason; the store's
 * errors. The agent's process and an executable that finds no agent are made of the same.
 */
export async function nodeAgent(options: NodeAgentOptions): Promise<NodeAgent> {
  const { plugins, log, env = process.env, elsewhere = execOnPath(env) } = options
  // Loaded now: an executable whose agent answers needs neither.
  const [{ linux }, { fileStore }] = await Promise.all([
    import('@podfabric/kernel-linux'),
    import('@podfabric/store/file'),
  ])
  const kernel = linux()
  try {
    const path = join(env[stateVariable] || defaultStateFolder, 'agent.db')
    const store = await fileStore({ path, clock: systemClock, log })
    const hosting = agent({
      node: { name: env[nodeVariable] || hostname() },
      kernel,
      store,
      plugins,
      clock: systemClock,
      random: Math.random,
      log,
      boot: bootOfMachine(),
      elsewhere,
    })
    return {
      ...hosting,
      async [Symbol.asyncDispose]() {
        const errors: unknown[] = []
        const parts = [hosting.stop, () => store[Symbol.asyncDispose](), () => kernel[Symbol.asyncDispose]()]
        for (const part of parts) {
          try {
            await part()
          } catch (error) {
            errors.push(error)
          }
        }
        if (errors.length > 0) throw new AggregateError(errors, 'the agent did not let go of everything')
      },
    }
  } catch (error) {
    await kernel[Symbol.asyncDispose]()
    throw error
  }
}
