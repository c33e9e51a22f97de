import { Failure } from '../failure.ts'
import type { Lab } from '../lab/lab.ts'
import type { Format } from '../output.ts'
import type { Invocation } from '../program.ts'
import type { RemoteOutput } from '../up/server.ts'
import { capture } from './capture.ts'
import {
  addNode,
  applyFiles,
  deleteObject,
  drainNode,
  failNode,
  removeNode,
  restart,
  rolloutStatus,
  scale,
  uncordonNode,
} from './change.ts'
import { dnsQuery } from './dns-query.ts'
import { get, type tables } from './get.ts'
import { ping, pingAll } from './ping.ts'
import { trace } from './trace.ts'

/** What a command inside the cluster's process gets beside its own words. */
export interface InCluster {
  /** Paths are relative to it. */
  readonly folder: string
  readonly output: RemoteOutput
  /** Aborted when the asker goes away. */
  readonly signal: AbortSignal
}

/** Resolves to an exit code; anything else counts as 0. */
type Run = (lab: Lab, invocation: Invocation, context: InCluster) => Promise<unknown>

const commands: Readonly<Record<string, Run>> = {
  apply: (lab, { options }, { folder, output }) => applyFiles(lab, options.file as string[], folder, output),
  scale: (lab, { args: [target = '', replicas = ''] }, { output }) =>
    scale(lab, target, Number(replicas), output),
  'rollout restart': (lab, { args: [target = ''] }, { output }) => restart(lab, target, output),
  'rollout status': (lab, { args: [target] }, { output }) => rolloutStatus(lab, target, output),
  delete: (lab, { args: [kind = '', name = ''] }, { output }) => deleteObject(lab, kind, name, output),
  'node add': (lab, { args: [name] }, { output }) => addNode(lab, name, output),
  'node drain': (lab, { args: [name = ''] }, { output }) => drainNode(lab, name, output),
  'node uncordon': (lab, { args: [name = ''] }, { output }) => uncordonNode(lab, name, output),
  'node fail': (lab, { args: [name = ''] }, { output }) => failNode(lab, name, output),
  'node remove': (lab, { args: [name = ''] }, { output }) => removeNode(lab, name, output),
  get: (lab, { args: [what = ''], options }, { output }) =>
    get(
      lab,
      what as (typeof tables)[number],
      {
        output: options.output as Format,
        namespace: options.namespace as string | undefined,
        allNamespaces: options.allNamespaces === true,
        pod: options.pod as string | undefined,
      },
      output,
    ),
  ping(lab, { args: [from, to], options }, { output }) {
    const format = options.output as Format
    if (options.all === true) return pingAll(lab, format, output)
    if (from === undefined || to === undefined)
      throw new Failure('usage', 'ping: name two pods, or say --all')
    return ping(lab, from, to, format, output)
  },
  trace: (lab, { args: [from = '', to = ''], options }, { output }) =>
    trace(
      lab,
      from,
      to,
      {
        output: options.output as Format,
        filter: String(options.filter),
        droppedOnly: options.droppedOnly === true,
        all: options.all === true,
      },
      output,
    ),
  'dns query': (lab, { args: [name = ''], options }, { output }) =>
    dnsQuery(
      lab,
      name,
      {
        from: options.from as string | undefined,
        type: String(options.type),
        output: options.output as Format,
      },
      output,
    ),
  capture: (lab, { options }, { output, signal }) =>
    capture(
      lab,
      { filter: String(options.filter), count: options.count as number | undefined, signal },
      (block) => output.data(block),
    ),
}

/** Whether a command is done by the cluster's process. */
export function isInCluster(command: string): boolean {
  return Object.hasOwn(commands, command)
}

/** Does a command; resolves to its exit code. */
export async function runInCluster(lab: Lab, invocation: Invocation, context: InCluster): Promise<number> {
  const run = commands[invocation.command]
  if (!run) throw new Failure('usage', `${invocation.command} is not a command of a cluster that is up`)
  const exitCode = await run(lab, invocation, context)
  return typeof exitCode === 'number' ? exitCode : 0
}
