import { agent } from '@podfabric/agent'
import type { Exec, ExecOutcome, Log, PluginFactory } from '@podfabric/cni'
import { parseNetworkList } from '@podfabric/cni'
import { type CommandLog, commandLog, type Kernel, withMiddleware } from '@podfabric/kernel'
import type { Store } from '@podfabric/store'
import type { Subject, SubjectList, SubjectNode } from '../subject.ts'
import { Gate } from './gate.ts'
import type { World } from './world.ts'

/** A node of a world, with what runs the subject's plugins on it. */
export interface PluginNode {
  readonly name: string
  /** The harness' own way to the kernel: not logged, never refused. */
  readonly kernel: Kernel
  readonly exec: Exec
  /** What the plugins asked of the kernel. Empty for executables. */
  readonly commands: CommandLog
  /** Between the plugins that are called and their kernel and store. Executables pass it by. */
  readonly gate: Gate
  /** The plugins as a new process has them: whatever they remembered or hung in is gone. */
  restart(): void
  /** Starts the controllers of the network. */
  start(): Promise<void>
  stop(): Promise<void>
}

export interface NodeOptions {
  readonly subject: Subject
  readonly list: SubjectList
  readonly name: string
  readonly kernel: Kernel
  readonly store: Store
  readonly world: World
  readonly random: () => number
}

export function pluginNode({ subject, list, name, kernel, store, world, random }: NodeOptions): PluginNode {
  const { clock } = world
  const log = silent
  const commands = commandLog()
  const facts = { node: { name }, clock, random, log }
  const hold = () => world.hold()
  if (subject.kind === 'executable') {
    const node: SubjectNode = { name, kernel, store, clock, random, log, hold }
    const exec = subject.exec(node)
    const nothing = async () => undefined
    return {
      name,
      kernel,
      exec,
      commands,
      gate: new Gate(),
      restart: () => undefined,
      start: nothing,
      stop: nothing,
    }
  }
  const plugins = pluginsOf(subject)
  const daemon = agent({ ...facts, kernel: withMiddleware(kernel, commands.middleware), store, plugins })
  let gate = new Gate()
  let exec = behind(gate)
  return {
    name,
    kernel,
    commands,
    get exec() {
      return exec
    },
    get gate() {
      return gate
    },
    restart() {
      gate = new Gate()
      exec = behind(gate)
    },
    start: () => daemon.start(parseNetworkList(JSON.stringify(list))),
    stop: () => daemon.stop(),
  }

  function behind(stage: Gate): Exec {
    const gated = withMiddleware(kernel, commands.middleware, stage.middleware)
    const { exec: inner } = agent({ ...facts, kernel: gated, store: stage.store(store), plugins })
    const killed = stage.killed.then((): ExecOutcome => ({ stdout: '', stderr: 'killed', exitCode: 137 }))
    return {
      run: (type, env, stdin, options) => Promise.race([inner.run(type, env, stdin, options), killed]),
    }
  }
}

/** The type of a subject's own factory is asked of the plugin itself; it does nothing before a verb is called. */
function pluginsOf(subject: Subject & { readonly kind: 'factory' }): Readonly<Record<string, PluginFactory>> {
  return { ...subject.plugins, [typeOf(subject.factory)]: subject.factory }
}

export function typeOf(factory: PluginFactory): string {
  return plainPlugin(factory).type
}

/** The plugin with a context that must not be used yet: for what it says about itself. */
export function plainPlugin(factory: PluginFactory) {
  return factory(inert)
}

const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}

const refuse = (): never => {
  throw new TypeError('a factory does nothing before a verb is called')
}

const inert: Parameters<PluginFactory>[0] = {
  // Nothing of these is read: a factory that does is told so by the trap.
  kernel: new Proxy({} as Kernel, { get: refuse }),
  store: new Proxy({} as Store, { get: refuse }),
  clock: { now: refuse, after: refuse },
  random: refuse,
  log: silent,
  node: { name: 'none' },
  delegate: refuse,
}
