import {
  CniError,
  type Controller,
  type ControllerStatus,
  type Exec,
  type ExecOutcome,
  execDelegate,
  type Log,
  type NetworkList,
  type Plugin,
  type PluginContext,
  type PluginFactory,
  parsePluginConfig,
} from '@podfabric/cni'
import { type CniRuntime, cniRuntime, inProcess } from '@podfabric/cni/runtime'
import type { Clock, Kernel } from '@podfabric/kernel'
import { type Store, scoped } from '@podfabric/store'
import { type AgentCall, failedOutcome } from './protocol.ts'

export interface AgentOptions {
  readonly node: { readonly name: string }
  readonly kernel: Kernel
  /** Shared by all nodes: networks are under `networks/`, what this node's runtime remembers under `runtimes/<node>/`. */
  readonly store: Store
  /** The plugins that there are, by their types. */
  readonly plugins: Readonly<Record<string, PluginFactory>>
  readonly clock: Clock
  readonly random: () => number
  readonly log: Log
}

/** The process of one node that hosts plugins and runs their controllers. */
export interface Agent {
  /** Runs plugins in this process. */
  readonly exec: Exec
  /** The runtime's side of CNI over these plugins. */
  readonly runtime: CniRuntime
  /**
   * Starts the controllers of a network's plugins; resolves once the node is in order. When one does not start, those that did
   * are stopped. Starting a network that is started is CNI_INVALID_NETWORK_CONFIG.
   */
  start(network: NetworkList): Promise<void>
  /** One call of a plugin executable, handed over by its process. Never rejects: what fails is an error object on stdout. */
  serve(call: AgentCall): Promise<ExecOutcome>
  status(): readonly NetworkStatus[]
  /** Stops the controllers; the data path stays as it is. Stops all, then throws what failed. */
  stop(): Promise<void>
}

export interface NetworkStatus extends ControllerStatus {
  readonly network: string
  readonly plugin: string
}

interface Running {
  readonly network: string
  readonly plugin: string
  readonly controller: Controller
}

export function agent(options: AgentOptions): Agent {
  const { node, kernel, store, plugins, clock, random, log } = options
  const contextOf = (network: string) => ({
    node,
    kernel,
    store: scoped(store, `networks/${network}/`),
    clock,
    random,
    log,
  })
  const exec = inProcess({ plugins, context: contextOf })
  const runtime = cniRuntime({ exec, store: scoped(store, `runtimes/${node.name}/`), log })
  const running: Running[] = []

  function controllersOf(network: NetworkList): Running[] {
    return network.plugins.flatMap((listed) => {
      const factory = plugins[listed.type]
      if (!factory) {
        const known = Object.keys(plugins).sort().join(', ')
        throw new CniError(
          'CNI_INVALID_NETWORK_CONFIG',
          `network ${network.name}: there is no plugin ${listed.type}; there are ${known}`,
        )
      }
      const plugin = factory(withDelegates(contextOf(network.name), exec))
      const controller = controllerOf(plugin, network, listed)
      return controller ? [{ network: network.name, plugin: listed.type, controller }] : []
    })
  }

  return {
    exec,
    runtime,
    async start(network) {
      if (running.some((one) => one.network === network.name)) {
        throw new CniError(
          'CNI_INVALID_NETWORK_CONFIG',
          `network ${network.name} is started already on node ${node.name}`,
        )
      }
      const started: Running[] = []
      try {
        for (const one of controllersOf(network)) {
          await one.controller.start()
          started.push(one)
        }
      } catch (error) {
        await stopAll(started)
        throw error
      }
      running.push(...started)
    },
    async serve({ type, env, stdin }) {
      try {
        return await exec.run(type, env, stdin)
      } catch (error) {
        return failedOutcome(error)
      }
    },
    status: () =>
      running.map(({ network, plugin, controller }) => ({ network, plugin, ...controller.status() })),
    async stop() {
      const errors = await stopAll(running.splice(0))
      if (errors.length > 0)
        throw new AggregateError(errors, `node ${node.name}: not every controller stopped`)
    },
  }
}

function withDelegates(context: Omit<PluginContext, 'delegate'>, exec: Exec): PluginContext {
  return {
    ...context,
    delegate: (type) =>
      execDelegate(exec, type, (text) => context.log.warn(text.trimEnd(), { plugin: type })),
  }
}

function controllerOf(
  plugin: Plugin,
  network: NetworkList,
  listed: NetworkList['plugins'][number],
): Controller | undefined {
  if (!plugin.controller) return undefined
  const source = { ...listed, cniVersion: network.cniVersion, name: network.name }
  return plugin.controller(plugin.parse(parsePluginConfig(source, plugin.versions)))
}

async function stopAll(running: readonly Running[]): Promise<unknown[]> {
  const outcomes = await Promise.allSettled(running.toReversed().map(({ controller }) => controller.stop()))
  return outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
}
