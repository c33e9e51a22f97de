import {
  type Exec,
  type ExecOutcome,
  isJsonObject,
  type JsonObject,
  type Plugin,
  type PluginContext,
  type PluginFactory,
  parseJson,
} from '@podfabric/cni'
import { inProcess } from '@podfabric/cni/runtime'
import { type Middleware, type Namespace, withMiddleware } from '@podfabric/kernel'
import { scoped } from '@podfabric/store'
import type { Subject, SubjectNode } from '../../src/subject.ts'
import type { ReferenceConfig } from '../fixtures/reference-config.ts'
import { referenceConfig, referencePlugin, smallReferenceConfig } from '../fixtures/reference-plugin.ts'

/** A plugin that is broken in one way, and exactly the cases that find out. */
export interface Mutant {
  /** What is wrong with it, as a sentence. */
  readonly name: string
  readonly subject: Subject
  readonly fails: Fails
}

/** Ids of cases; or, where hardly anything works, every case that applies but these. */
export type Fails = readonly string[] | { readonly allBut: readonly string[] }

export const referenceSubject: Subject = {
  kind: 'factory',
  factory: referencePlugin,
  config: referenceConfig,
  small: { config: smallReferenceConfig, addresses: 5 },
}

type ReferencePlugin = Plugin<ReferenceConfig>

/** The reference plugin with some of its verbs replaced. */
export function altered(
  name: string,
  fails: Fails,
  change: (plugin: ReferencePlugin, context: PluginContext) => Partial<ReferencePlugin>,
): Mutant {
  const factory: PluginFactory<ReferenceConfig> = (context) => {
    const plugin = referencePlugin(context)
    return { ...plugin, ...change(plugin, context) }
  }
  return { name, fails, subject: { ...referenceSubject, kind: 'factory', factory } }
}

/** The reference plugin on a kernel that does not do all it is asked. */
export function onKernel(name: string, fails: Fails, middleware: Middleware): Mutant {
  const factory: PluginFactory<ReferenceConfig> = (context) =>
    referencePlugin(
      inert(context) ? context : { ...context, kernel: withMiddleware(context.kernel, middleware) },
    )
  return { name, fails, subject: { ...referenceSubject, kind: 'factory', factory } }
}

/** The reference plugin as an executable whose octets somebody meddles with. */
export function atTheEdge(name: string, fails: Fails, change: (exec: Exec['run']) => Exec['run']): Mutant {
  const exec = (node: SubjectNode): Exec => ({ run: change(referenceExec(node).run) })
  const { config, small } = referenceSubject
  return { name, fails, subject: { kind: 'executable', exec, config, ...(small && { small }) } }
}

/** The reference plugin as an executable whose outcome of one command is another. */
export function printing(
  name: string,
  fails: Fails,
  command: string,
  change: (
    outcome: ExecOutcome,
    asked: { readonly env: Readonly<Record<string, string>>; readonly stdin: string },
  ) => ExecOutcome,
): Mutant {
  return atTheEdge(name, fails, (run) => async (type, env, stdin, options) => {
    const outcome = await run(type, env, stdin, options)
    return env.CNI_COMMAND === command || command === 'all' ? change(outcome, { env, stdin }) : outcome
  })
}

function referenceExec(node: SubjectNode): Exec {
  const { kernel, store, clock, random, log } = node
  const context = (network: string) => ({
    kernel,
    store: scoped(store, `networks/${network}/`),
    clock,
    random,
    log,
    node: { name: node.name },
  })
  return inProcess({ plugins: { reference: referencePlugin }, context })
}

/** The document of an outcome with some keys changed; anything else as it is. */
export function rewritten(outcome: ExecOutcome, change: (document: JsonObject) => JsonObject): ExecOutcome {
  if (outcome.exitCode !== 0 || outcome.stdout === '') return outcome
  const document = parseJson(outcome.stdout)
  return isJsonObject(document) ? { ...outcome, stdout: `${JSON.stringify(change(document))}\n` } : outcome
}

/** Work in the sandbox that CNI_NETNS names; nothing where it is gone. */
export async function inSandbox(
  { kernel }: PluginContext,
  path: string | undefined,
  work: (sandbox: Namespace) => Promise<unknown>,
): Promise<void> {
  if (path === undefined) return
  const netns = await kernel.netns.open(path).catch(() => undefined)
  if (netns === undefined) return
  const at = kernel.in(netns)
  try {
    await work(at)
  } finally {
    await at[Symbol.asyncDispose]()
    await netns[Symbol.asyncDispose]()
  }
}

export async function onHost(
  { kernel }: PluginContext,
  work: (host: Namespace) => Promise<unknown>,
): Promise<void> {
  const at = kernel.in(kernel.netns.host)
  try {
    await work(at)
  } finally {
    await at[Symbol.asyncDispose]()
  }
}

/** A factory is also called for what the plugin says about itself, with a context that must not be touched. */
function inert({ node }: PluginContext): boolean {
  return node.name === 'none'
}
