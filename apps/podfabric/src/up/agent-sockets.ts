import { type AgentSocket, listen, type Serve } from '@podfabric/agent/exec'
import type { Lab } from '../lab/lab.ts'
import type { StateFolder } from './state-folder.ts'

export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/** A lab whose nodes can be reached by plugin executables of this machine, each at its agent's socket. */
export interface ReachableLab {
  /** Nodes that are added through it get a socket; those that fail or leave lose theirs. */
  readonly lab: Lab
  close(): Promise<void>
}

/**
 * Opens a socket for each node. Calls are served one at a time, and never while a command runs: what a command sees, nothing outside
 * the simulation changed meanwhile, and time passes in a call only as far as its plugin itself waits for it.
 */
export async function agentSockets(lab: Lab, state: StateFolder, inTurn: InTurn): Promise<ReachableLab> {
  const sockets = new Map<string, AgentSocket>()
  const open = async (node: string) => {
    const serve: Serve = (call, options) => inTurn(() => lab.cluster.node(node).agent.serve(call, options))
    sockets.set(node, await listen(state.agentSocket(node), serve))
  }
  const shut = async (node: string) => {
    const socket = sockets.get(node)
    sockets.delete(node)
    await socket?.close()
  }
  async function close() {
    const errors: unknown[] = []
    for (const node of [...sockets.keys()]) await shut(node).catch((error: unknown) => errors.push(error))
    if (errors.length > 0) throw new AggregateError(errors, 'an agent’s socket did not close')
  }
  try {
    for (const node of lab.cluster.nodes()) await open(node)
  } catch (error) {
    await close()
    throw error
  }
  return {
    lab: {
      ...lab,
      async addNode(name) {
        if (name !== undefined) state.agentSocket(name)
        const joined = await lab.addNode(name)
        await open(joined)
        return joined
      },
      async failNode(name) {
        await lab.failNode(name)
        await shut(name)
      },
      async removeNode(name) {
        await lab.removeNode(name)
        await shut(name)
      },
    },
    close,
  }
}
