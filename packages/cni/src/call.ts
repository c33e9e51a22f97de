import { formatArgs, parseArgs } from './args.ts'
import { CniError } from './error.ts'
import { parseContainerId, parseIfName } from './identifiers.ts'
import type { TraceContext } from './trace-context.ts'

/** CNI_COMMAND. */
export type Command = 'ADD' | 'CHECK' | 'DEL' | 'GC' | 'STATUS' | 'VERSION'

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** What the environment says about one call (SPEC 1.1.0, section 2, "Parameters"). */
export type Call = NodeCall | AddCall | CheckCall | DelCall

export interface NodeCall extends CallFacts {
  readonly command: 'GC' | 'STATUS' | 'VERSION'
}

export interface AddCall extends AttachmentFacts {
  readonly command: 'ADD'
  readonly netns: string
}

export interface CheckCall extends AttachmentFacts {
  readonly command: 'CHECK'
  readonly netns: string
}

export interface DelCall extends AttachmentFacts {
  readonly command: 'DEL'
  /** Missing when the namespace is gone. */
  readonly netns?: string
}

interface CallFacts {
  /** CNI_PATH. */
  readonly path: readonly string[]
  readonly trace?: TraceContext
}

interface AttachmentFacts extends CallFacts {
  readonly containerId: string
  readonly ifName: string
  readonly args: Readonly<Record<string, string>>
}

const required: Readonly<Record<Command, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
  VERSION: [],
}

/**
 * Reads the environment of a call. An empty variable counts as missing. CNI_PATH is never demanded: a plugin that calls
 * no other needs none. Throws CNI_INVALID_ENVIRONMENT, naming every variable that is missing at once.
 */
export function parseCall(env: Environment): Call {
  const command = env.CNI_COMMAND ?? ''
  if (command === '') throw missing(['CNI_COMMAND'], 'the call')
  if (!isCommand(command)) {
    throw new CniError(
      'CNI_INVALID_ENVIRONMENT',
      `CNI_COMMAND ${JSON.stringify(command.slice(0, 80))}: expected one of ${Object.keys(required).join(', ')}`,
    )
  }
  const absent = required[command].filter((name) => (env[name] ?? '') === '')
  if (absent.length > 0) throw missing(absent, command)
  const plain = { path: parsePath(env.CNI_PATH ?? ''), ...parseTrace(env) }
  if (command === 'GC' || command === 'STATUS' || command === 'VERSION') return { command, ...plain }
  const attachment = {
    containerId: parseContainerId(env.CNI_CONTAINERID ?? ''),
    ifName: parseIfName(env.CNI_IFNAME ?? ''),
    args: parseArgs(env.CNI_ARGS ?? ''),
    ...plain,
  }
  const netns = env.CNI_NETNS ?? ''
  if (command === 'DEL') return { command, ...attachment, ...(netns !== '' && { netns }) }
  return command === 'ADD' ? { command, ...attachment, netns } : { command, ...attachment, netns }
}

/** The inverse: the variables of a call, and nothing else. */
export function formatCall(call: Call): Readonly<Record<string, string>> {
  const plain = {
    CNI_COMMAND: call.command,
    CNI_PATH: call.path.join(':'),
    ...(call.trace && { TRACEPARENT: call.trace.traceparent }),
    ...(call.trace?.tracestate && { TRACESTATE: call.trace.tracestate }),
  }
  if (!('containerId' in call)) return plain
  return {
    ...plain,
    CNI_CONTAINERID: call.containerId,
    CNI_NETNS: call.netns ?? '',
    CNI_IFNAME: call.ifName,
    CNI_ARGS: formatArgs(call.args),
  }
}

function isCommand(text: string): text is Command {
  return Object.hasOwn(required, text)
}

function missing(names: readonly string[], command: string): CniError {
  return new CniError(
    'CNI_INVALID_ENVIRONMENT',
    `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} missing from the environment of ${command}`,
  )
}

function parsePath(text: string): readonly string[] {
  return text.split(':').filter((folder) => folder !== '')
}

function parseTrace(env: Environment): { readonly trace?: TraceContext } {
  const traceparent = env.TRACEPARENT ?? ''
  // A context that is not well-formed is to be ignored (W3C Trace Context, 3.2).
  if (!/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(traceparent)) return {}
  const tracestate = env.TRACESTATE ?? ''
  return { trace: { traceparent, ...(tracestate !== '' && { tracestate }) } }
}
