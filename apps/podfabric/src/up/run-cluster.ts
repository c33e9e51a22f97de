import { listen } from '@podfabric/agent/exec'
import { responder } from '@podfabric/dns'
import type { KubeObject } from '@podfabric/kube'
import { parseAddressPort } from '../address-port.ts'
import { isInCluster, runInCluster } from '../commands/in-cluster.ts'
import { Failure } from '../failure.ts'
import { hostDns } from '../host-dns.ts'
import { createLab } from '../lab/create-lab.ts'
import type { Lab } from '../lab/lab.ts'
import { lineLog } from '../log.ts'
import type { Output } from '../output.ts'
import type { PodNetworkChoice } from '../plugins.ts'
import { readCommandLine } from '../program.ts'
import { type CommandServer, commandServer } from './server.ts'
import type { StateFolder } from './state-folder.ts'

export interface RunClusterOptions {
  readonly objects: readonly KubeObject[]
  readonly choice: PodNetworkChoice
  readonly nodes: number
  readonly seed: number
  readonly dns?: string | undefined
  readonly state: StateFolder
  readonly version: string
  readonly output: Output
}

export interface RunningCluster {
  /** Resolves when a command asked for the end. */
  readonly ended: Promise<void>
  close(): Promise<void>
}

/**
 * Brings a cluster up and listens: for commands, for plugin executables of each node, and for DNS where that was asked for. When any
 * part fails, what was begun is ended again.
 */
export async function runCluster(options: RunClusterOptions): Promise<RunningCluster> {
  const { objects, choice, nodes, seed, state, version, output } = options
  const dnsAt = options.dns === undefined ? undefined : parseAddressPort(options.dns)
  const log = lineLog((line) => output.note(line), 'warn')
  const lab = await createLab({ choice, seed, log, nodes })
  const open: { close(): Promise<void> }[] = [lab]
  const ending = Promise.withResolvers<void>()
  const close = async () => {
    const errors: unknown[] = []
    for (const part of open.toReversed()) await part.close().catch((error: unknown) => errors.push(error))
    if (errors.length > 0) throw new AggregateError(errors, 'the cluster did not end cleanly')
  }
  try {
    lab.cluster.apply(objects)
    await lab.cluster.settled()
    for (const node of lab.cluster.nodes()) open.push(await agentSocket(lab, node, state))
    if (dnsAt)
      open.push(await hostDns(responder({ zones: [lab.cluster.zone], random: Math.random, log }), dnsAt))
    open.push(await serveCommands(lab, state, version, ending.resolve))
  } catch (error) {
    await close()
    throw error
  }
  return { ended: ending.promise, close }
}

/** Plugin executables of this machine reach the simulated node through it. Time stands still while one of them works. */
function agentSocket(lab: Lab, node: string, state: StateFolder) {
  return listen(state.agentSocket(node), (call) => lab.cluster.node(node).agent.serve(call))
}

function serveCommands(
  lab: Lab,
  state: StateFolder,
  version: string,
  end: () => void,
): Promise<CommandServer> {
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const current = last.then(work, work)
    last = current.catch(() => undefined)
    return current
  }
  return commandServer(state.socket, async ({ words, folder }, output, signal) => {
    const reading = readCommandLine(words, version)
    if (!('invocation' in reading)) throw new Failure('usage', reading.text)
    const { invocation } = reading
    if (invocation.command === 'down') {
      end()
      return 0
    }
    if (!isInCluster(invocation.command))
      throw new Failure('usage', `${invocation.command} is not for a cluster that is up`)
    const run = () => runInCluster(lab, invocation, { folder, output, signal })
    // A capture looks on while other commands run.
    return invocation.command === 'capture' ? run() : inTurn(run)
  })
}
