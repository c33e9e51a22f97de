import {
  CniError,
  type Controller,
  type ControllerStatus,
  type Exec,
  type ExecOutcome,
  type FoundAttachment,
  type Log,
  locksUnder,
  type NetworkList,
  type NodeLocks,
  type PluginFactory,
  parsePluginConfig,
  processLocks,
  toCniError,
} from '@podfabric/cni'
import { type CniRuntime, cniRuntime, inProcess } from '@podfabric/cni/runtime'
import { type Clock, type Kernel, withMiddleware } from '@podfabric/kernel'
import { type Store, scoped } from '@podfabric/store'
import { type AgentCall, failedOutcome } from './protocol.ts'
import { rebuilding } from './rebuilding.ts'
import { sysctlJournal } from './sysctl-journal.ts'

export interface AgentOptions {
  readonly node: { readonly name: string }
  readonly kernel: Kernel
  /**
   * Shared by all nodes: networks are under `networks/`, what this node's runtime remembers under `runtimes/<node>/`, what its
   * settings were before ours under `sysctls/<node>/`.
   */
  readonly store: Store
  /** The plugins that there are, by their types. */
  readonly plugins: Readonly<Record<string, PluginFactory>>
  readonly clock: Clock
  /** A number from 0 (included) to 1 (excluded). */
  readonly random: () => number
  readonly log: Log
  /**
   * Tells one start of the node's machine from another: what settings of its kernel were before ours is void after a restart.
   * Default: it never restarts.
   */
  readonly boot?: string
  /**
   * What of a network lives on this node, found without the store. Where it is given, plugins rebuild their records from it before
   * the first call on a store that does not know the network. Default: a store that knows nothing is taken at its word.
   */
  readonly evidence?: (network: string) => Promise<readonly FoundAttachment[]>
  /** Shared with every other process that hosts plugins on this node. Default: there is none. */
  readonly locks?: NodeLocks
  /** Runs the plugins that these delegate to and that are not among them. Default: there are no others. */
  readonly elsewhere?: Exec
}

/** The process of one node that hosts plugins and runs their controllers. */
export interface Agent {
  /** Runs plugins in this process. */
  readonly exec: Exec
  /** The runtime's side of CNI over these plugins. */
  readonly runtime: CniRuntime
  /**
   * Reads the configuration of each of a network's plugins, then starts their controllers in the list's order; resolves once the
   * node is in order. When one does not start, those that did are stopped. CNI_INVALID_NETWORK_CONFIG for a plugin that is not
   * there, a configuration that it does not take, and a network that is started already; CNI_INCOMPATIBLE_VERSION; what a
   * controller fails with.
   */
  start(network: NetworkList): Promise<void>
  /**
   * One call of a plugin executable, handed over by its process. Never rejects: what fails is an error object on stdout. Aborting
   * the signal gives the call up: an ADD under way is undone.
   */
  serve(call: AgentCall, options?: { readonly signal?: AbortSignal | undefined }): Promise<ExecOutcome>
  /** One entry for each controller that runs. */
  status(): readonly NetworkStatus[]
  /** Stops the controllers; the data path stays as it is. Stops all, then throws what failed. */
  stop(): Promise<void>
}

export interface NetworkStatus extends ControllerStatus {
  readonly network: string
  /** The plugin's type. */
  readonly plugin: string
}

interface Running {
  readonly network: string
  readonly plugin: string
  readonly controller: Controller
}

export function agent(options: AgentOptions): Agent {
  const { node, kernel, store, plugins, clock, random, log, boot = '', evidence, elsewhere } = options
  const { locks = processLocks() } = options
  const journal = sysctlJournal({ kernel, store, node, boot, log })
  const { host } = kernel.netns
  /** Only the node's own settings outlive what we make: other namespaces are worked on directly. */
  const journaled = (network: string): Kernel => {
    const recording = withMiddleware(kernel, journal(network))
    return {
      netns: kernel.netns,
      in: (netns) => (netns.id === host.id ? recording : kernel).in(netns),
    }
  }
  const rebuilt = evidence && rebuilding({ store, node, clock, log, evidence })
  const exec = inProcess({
    plugins: rebuilt
      ? Object.fromEntries(Object.entries(plugins).map(([type, factory]) => [type, rebuilt(factory)]))
      : plugins,
    ...(elsewhere && { elsewhere }),
    context: (network) => ({
      node,
      kernel: journaled(network),
      store: scoped(store, `networks/${network}/`),
      locks: locksUnder(locks, `networks/${network}/`),
      clock,
      random,
      log,
    }),
  })
  const runtime = cniRuntime({
    exec,
    store: scoped(store, `runtimes/${encodeURIComponent(node.name)}/`),
    log,
  })
  /** By network; a network whose controllers are being started has none yet. */
  const networks = new Map<string, readonly Running[]>()

  async function controllersOf(network: NetworkList): Promise<readonly Running[]> {
    const running: Running[] = []
    for (const listed of network.plugins) {
      const { type } = listed
      const plugin = await exec.plugin(network.name, type)
      const { capabilities, ...keys } = listed
      const source = { ...keys, cniVersion: network.cniVersion, name: network.name }
      const config = plugin.parse(parsePluginConfig(source, plugin))
      const controller = plugin.controller?.(config)
      if (controller) running.push({ network: network.name, plugin: type, controller })
    }
    return running
  }

  async function startAll(controllers: readonly Running[]): Promise<void> {
    const started: Running[] = []
    try {
      for (const one of controllers) {
        await one.controller.start()
        started.push(one)
      }
    } catch (error) {
      for (const left of await stopAll(started)) {
        log.error('a controller did not stop', { node: node.name, error: left })
      }
      throw error
    }
  }

  return {
    exec,
    runtime,
    async start(network) {
      const { name } = network
      if (networks.has(name)) {
        throw new CniError(
          'CNI_INVALID_NETWORK_CONFIG',
          `network ${name} is started already on node ${node.name}`,
        )
      }
      networks.set(name, [])
      try {
        const controllers = await controllersOf(network)
        await startAll(controllers)
        networks.set(name, controllers)
      } catch (error) {
        networks.delete(name)
        throw toCniError(error, `network ${name} on node ${node.name}`)
      }
    },
    async serve({ type, env, stdin }, options = {}) {
      try {
        return await exec.run(type, env, stdin, options)
      } catch (error) {
        return failedOutcome(error, stdin)
      }
    },
    status: () =>
      [...networks.values()]
        .flat()
        .map(({ network, plugin, controller }) => ({ network, plugin, ...controller.status() })),
    async stop() {
      const running = [...networks.values()].flat()
      networks.clear()
      const errors = await stopAll(running)
      if (errors.length > 0)
        throw new AggregateError(errors, `node ${node.name}: not every controller stopped`)
    },
  }
}

/** In reverse order, whatever becomes of the others; what failed. */
async function stopAll(running: readonly Running[]): Promise<readonly unknown[]> {
  const errors: unknown[] = []
  for (const { controller } of running.toReversed()) {
    await controller.stop().catch((error: unknown) => errors.push(error))
  }
  return errors
}
