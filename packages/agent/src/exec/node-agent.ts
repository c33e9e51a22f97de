import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Exec, Log, NetworkList, NodeLocks, PluginFactory } from '@podfabric/cni'
import { type Clock, type Kernel, systemClock } from '@podfabric/kernel'
import type { FileStore, FileStoreOptions } from '@podfabric/store/file'
import { type Agent, agent } from '../agent.ts'
import { failedOutcome } from '../protocol.ts'
import { bootOfMachine } from './boot.ts'
import { cacheVariable, defaultCacheFolder, nodeEvidence } from './evidence.ts'
import { execOnPath } from './exec-on-path.ts'
import { isDamage, tellingDamage } from './node-store.ts'

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
 *
 * A store that is found to be damaged while the agent runs is closed, set aside and begun anew between two calls; the networks that
 * were started are started again. What lived is found again: see `AgentOptions.evidence`.
 */
export async function nodeAgent(options: NodeAgentOptions): Promise<NodeAgent> {
  const { log } = options
  // Loaded now: an executable whose agent answers needs neither.
  const [{ linux }, { fileStore }, { fileLocks }] = await Promise.all([
    import('@podfabric/kernel-linux'),
    import('@podfabric/store/file'),
    import('./file-locks.ts'),
  ])
  const kernel = linux({ deletions: deletionsWith(process.env.UV_THREADPOOL_SIZE) })
  const open = () => openAgent(options, kernel, fileStore, fileLocks)
  let current: OpenAgent
  try {
    current = await open()
  } catch (error) {
    await kernel[Symbol.asyncDispose]()
    throw error
  }
  const started = new Map<string, NetworkList>()
  const underWay = new Set<Promise<unknown>>()
  let renewing: Promise<void> | undefined

  async function renew(): Promise<void> {
    await Promise.allSettled([...underWay])
    log.error('the state is damaged; it is opened anew', { state: current.path })
    await current
      .close()
      .catch((error: unknown) => log.warn('the damaged state was not closed well', { error }))
    current = await open()
    for (const network of started.values()) {
      await current.hosting
        .start(network)
        .catch((error: unknown) =>
          log.error('a network did not start again', { network: network.name, error }),
        )
    }
  }

  /** A damaged state is renewed first; where that fails, the next call tries again. */
  async function ready(): Promise<Agent> {
    if (current.isDamaged()) {
      renewing ??= renew().finally(() => {
        renewing = undefined
      })
    }
    await renewing
    return current.hosting
  }

  function during<T>(work: Promise<T>): Promise<T> {
    underWay.add(work)
    return work.finally(() => underWay.delete(work))
  }

  return {
    get exec() {
      return current.hosting.exec
    },
    get runtime() {
      return current.hosting.runtime
    },
    async start(network) {
      const hosting = await ready()
      await hosting.start(network)
      started.set(network.name, network)
    },
    async serve(call, given) {
      try {
        const hosting = await ready()
        return await during(hosting.serve(call, given))
      } catch (error) {
        return failedOutcome(error, call.stdin)
      }
    },
    status: () => current.hosting.status(),
    stop: () => current.hosting.stop(),
    async [Symbol.asyncDispose]() {
      const errors: unknown[] = []
      for (const part of [() => current.close(), () => kernel[Symbol.asyncDispose]()]) {
        try {
          await part()
        } catch (error) {
          errors.push(error)
        }
      }
      if (errors.length > 0) throw new AggregateError(errors, 'the agent did not let go of everything')
    },
  }
}

/** An agent over one opening of the store. */
interface OpenAgent {
  readonly path: string
  readonly hosting: Agent
  isDamaged(): boolean
  close(): Promise<void>
}

async function openAgent(
  { plugins, log, env = process.env, elsewhere = execOnPath(env) }: NodeAgentOptions,
  kernel: Kernel,
  fileStore: (options: FileStoreOptions) => Promise<FileStore>,
  fileLocks: (path: string, clock: Clock) => NodeLocks & Disposable,
): Promise<OpenAgent> {
  const path = join(env[stateVariable] || defaultStateFolder, 'agent.db')
  let damaged = false
  const damage = () => {
    damaged = true
  }
  const store = await fileStore({
    path,
    clock: systemClock,
    log: {
      ...log,
      error(message, facts = {}) {
        if (isDamage(facts.error)) damage()
        log.error(message, facts)
      },
    },
  })
  let locks: (NodeLocks & Disposable) | undefined
  try {
    locks = fileLocks(`${path}-calls`, systemClock)
    const held = locks
    // Each network's plugins rebuild what they had before their first call: a fresh store knows that it knows nothing.
    if (store.recovered !== undefined) await store.recoveryDone()
    const hosting = agent({
      node: { name: env[nodeVariable] || hostname() },
      kernel,
      store: tellingDamage(store, damage),
      plugins,
      clock: systemClock,
      random: Math.random,
      log,
      boot: bootOfMachine(),
      locks,
      evidence: nodeEvidence({ kernel, log, cacheFolder: env[cacheVariable] || defaultCacheFolder }),
      elsewhere,
    })
    return {
      path,
      hosting,
      isDamaged: () => damaged,
      async close() {
        const errors: unknown[] = []
        const parts = [
          () => hosting.stop(),
          async () => held[Symbol.dispose](),
          () => store[Symbol.asyncDispose](),
        ]
        for (const part of parts) {
          try {
            await part()
          } catch (error) {
            errors.push(error)
          }
        }
        if (errors.length > 0) throw new AggregateError(errors, 'the agent did not let go of its store')
      },
    }
  } catch (error) {
    locks?.[Symbol.dispose]()
    await store[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * How many deletions may wait in the kernel at once, each in a thread of Node's pool. Two threads of a larger pool stay free for
 * files and names, one of the four that there are unless `UV_THREADPOOL_SIZE` says otherwise.
 */
export function deletionsWith(poolSize: string | undefined): number {
  const threads = /^[0-9]{1,4}$/.test(poolSize ?? '') ? Number(poolSize) : 4
  return Math.max(1, threads > 4 ? threads - 2 : threads - 1)
}
