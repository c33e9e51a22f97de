import { responder } from '@podfabric/dns'
import { parseAddressPort } from '../address-port.ts'
import { get } from '../commands/get.ts'
import { isInCluster, runInCluster } from '../commands/in-cluster.ts'
import { noteUnserved } from '../commands/unserved.ts'
import { exitCodes, explain, Failure } from '../failure.ts'
import { hostDns } from '../host-dns.ts'
import { createLab } from '../lab/create-lab.ts'
import type { Lab } from '../lab/lab.ts'
import { settledOrSaid } from '../lab/settled-or-said.ts'
import { lineLog } from '../log.ts'
import { loadManifests } from '../manifests.ts'
import type { Output } from '../output.ts'
import { choosePlugins } from '../plugins.ts'
import { readCommandLine } from '../program.ts'
import { agentSockets, type InTurn } from './agent-sockets.ts'
import { clearLeft, leftWords } from './left-cluster.ts'
import { commandServer } from './server.ts'
import type { StateFolder } from './state-folder.ts'

export interface RunClusterOptions {
  /** Files and folders with manifests. */
  readonly files: readonly string[]
  readonly plugin: string
  readonly network?: string | undefined
  readonly nodes: number
  readonly kernel: 'sim' | 'linux'
  readonly seed: number
  /** Where to answer DNS queries of this machine too. */
  readonly dns?: string | undefined
  /** What paths and packages are relative to. */
  readonly folder: string
  readonly state: StateFolder
  readonly version: string
  /** What is said while it comes up: warnings, then the nodes and how to go on. */
  readonly output: Output
  /** What happens from then on, a line each. */
  readonly record: (line: string) => void
}

export interface RunningCluster {
  /** 0, or 1 when some pod did not become ready: the cluster is up all the same, and it was said. */
  readonly exitCode: number
  /** Resolves when a command asked for the end. */
  readonly ended: Promise<void>
  /** Ends everything, says so to whoever asked for it, and rejects when something did not end cleanly. */
  close(): Promise<void>
}

/**
 * Brings a cluster up and listens: for commands, for plugin executables of each node, and for DNS where that was asked for. Mistakes
 * in what was given are found before anything starts. When any part fails, what was begun is ended again.
 */
export async function runCluster(options: RunClusterOptions): Promise<RunningCluster> {
  const { files, plugin, network, nodes, kernel, seed, folder, state, version, output, record } = options
  const dnsAt = options.dns === undefined ? undefined : parseAddressPort(options.dns)
  const objects = await loadManifests(files, output)
  const choice = await choosePlugins({ plugin, network, folder })

  const inTurn = oneAfterTheOther()
  const ending = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<number>()
  const started = Promise.withResolvers<Lab>()
  started.promise.catch(() => undefined) // is told below, and to every command that waits for it
  const server = await commandServer(state.socket, async ({ words, folder }, remote, signal) => {
    const reading = readCommandLine(words, version)
    if (!('invocation' in reading)) throw new Failure('usage', reading.text)
    const { invocation } = reading
    record(`asked: ${words.join(' ')}`)
    if (invocation.command === 'down') {
      ending.resolve()
      return closed.promise
    }
    if (!isInCluster(invocation.command))
      throw new Failure('usage', `${invocation.command} is not for a cluster that is up`)
    const lab = await started.promise
    const run = () => runInCluster(lab, invocation, { folder, output: remote, signal })
    // A capture looks on while other commands run.
    return invocation.command === 'capture' ? run() : inTurn(run)
  })

  const open: { close(): Promise<void> }[] = []
  async function close() {
    server.stop()
    const errors: unknown[] = []
    for (const part of open.toReversed()) await part.close().catch((error: unknown) => errors.push(error))
    const failure = errors.length > 0 && new AggregateError(errors, 'the cluster did not end cleanly')
    if (failure) for (const line of explain(failure)) record(line)
    closed.resolve(failure ? exitCodes.failed : 0)
    await server.close()
    if (failure) throw failure
  }

  try {
    const logged = notedOnce(output, record)
    const log = lineLog(logged.note, 'warn')
    const cleared = await clearLeft(state)
    if (cleared > 0) output.note(leftWords(cleared))
    const lab =
      kernel === 'linux'
        ? await (await import('../lab/linux-lab.ts')).linuxLab({
            choice,
            log,
            nodes,
            folder: state.namespaces,
          })
        : await createLab({ choice, seed, log, nodes })
    open.push(lab)
    lab.cluster.apply(objects)
    const settled = await settledOrSaid(lab, output)
    const reachable = await agentSockets(lab, state, inTurn)
    open.push(reachable)
    const zones = [lab.cluster.zone]
    const dns = dnsAt && (await hostDns(responder({ zones, random: Math.random, log }), dnsAt))
    if (dns) open.push(dns)
    await get(lab, 'nodes', { output: 'table' }, output)
    noteUnserved(lab, output)
    if (dns) output.note(`DNS is answered at ${dns.address} port ${dns.port}, UDP and TCP`)
    logged.onlyRecord()
    started.resolve(reachable.lab)
    return { exitCode: settled ? 0 : exitCodes.failed, ended: ending.promise, close }
  } catch (error) {
    started.reject(new Failure('failed', 'the cluster did not come up', { cause: error }))
    await close()
    throw error
  }
}

function oneAfterTheOther(): InTurn {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const current = last.then(work, work)
    last = current.catch(() => undefined)
    return current
  }
}

/** Said once while the cluster comes up, however often it is tried again; recorded always. */
function notedOnce(output: Output, record: (line: string) => void) {
  let said: Set<string> | undefined = new Set<string>()
  return {
    note(line: string) {
      record(line)
      if (!said || said.has(line)) return
      said.add(line)
      output.note(line)
    },
    onlyRecord() {
      said = undefined
    },
  }
}
