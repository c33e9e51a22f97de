import {
  CniError,
  type ExecOutcome,
  formatError,
  isJsonObject,
  type Json,
  newestCniVersion,
  parseJson,
  toCniError,
} from '@podfabric/cni'

/**
 * What a plugin executable hands to the agent: the call that its own process got. One JSON document on a stream, ended by
 * the end of the stream; the answer is one JSON document, ended likewise. One call for each connection.
 */
export interface AgentCall {
  /** The plugin's type: the executable's name. */
  readonly type: string
  /** The CNI variables and trace context; nothing else of the environment. */
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
}

/** The variables that an executable hands over, and an agent takes. */
export const handedOver = [
  'CNI_COMMAND',
  'CNI_CONTAINERID',
  'CNI_NETNS',
  'CNI_IFNAME',
  'CNI_ARGS',
  'CNI_PATH',
  'TRACEPARENT',
  'TRACESTATE',
] as const

/** Most octets of a call, and of an answer: what a plugin reads from stdin at most fits, however it is escaped in practice. */
export const maxCallLength = 20 * 1024 * 1024

/** Of an environment, what is handed over. */
export function handedOverFrom(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const pairs = handedOver.flatMap((name): readonly [string, string][] => {
    const value = env[name]
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(pairs)
}

export function formatAgentCall({ type, env, stdin }: AgentCall): string {
  return JSON.stringify({ type, env, stdin })
}

/** CNI_DECODING_FAILURE, naming what is wrong; a variable that is not handed over is wrong too. */
export function parseAgentCall(text: string): AgentCall {
  const value = parseJson(text, { what: 'the call', length: maxCallLength })
  if (!isJsonObject(value)) throw malformed('an object')
  const { type, stdin } = value
  if (typeof type !== 'string') throw malformed('`type` as text')
  if (typeof stdin !== 'string') throw malformed('`stdin` as text')
  return { type, env: parseEnv(value.env), stdin }
}

function parseEnv(env: Json | undefined): Readonly<Record<string, string>> {
  if (!isJsonObject(env)) throw malformed('`env` as an object')
  for (const [name, content] of Object.entries(env)) {
    const shown = JSON.stringify(name.slice(0, 40))
    if (!handedOver.some((known) => known === name)) throw malformed(`no variable ${shown} in \`env\``)
    if (typeof content !== 'string') throw malformed(`the variable ${shown} in \`env\` as text`)
  }
  // Every value has just been seen to be a text.
  return env as Readonly<Record<string, string>>
}

export function formatAgentAnswer({ stdout, stderr, exitCode }: ExecOutcome): string {
  return JSON.stringify({ stdout, stderr, exitCode })
}

/** CNI_IO_FAILURE where the agent did not answer in its own words. */
export function parseAgentAnswer(text: string): ExecOutcome {
  const value = readAnswer(text)
  if (isJsonObject(value)) {
    const { stdout, stderr, exitCode } = value
    if (typeof stdout === 'string' && typeof stderr === 'string' && isExitCode(exitCode)) {
      return { stdout, stderr, exitCode }
    }
  }
  throw new CniError('CNI_IO_FAILURE', 'the agent answered with something that is no outcome of a call')
}

function readAnswer(text: string): Json {
  try {
    return parseJson(text, { what: 'the agent’s answer', length: maxCallLength })
  } catch (cause) {
    throw new CniError('CNI_IO_FAILURE', 'the agent broke off, or what listens there is no agent', { cause })
  }
}

function isExitCode(value: Json | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255
}

/**
 * A failure as a plugin executable would have printed it: in the version that `stdin` asks for where it can be read, else in
 * the newest.
 */
export function failedOutcome(error: unknown, stdin = ''): ExecOutcome {
  const document = formatError(toCniError(error), versionIn(stdin) ?? newestCniVersion)
  return { stdout: `${JSON.stringify(document)}\n`, stderr: '', exitCode: 1 }
}

function versionIn(stdin: string): string | undefined {
  try {
    const config = parseJson(stdin)
    const version = isJsonObject(config) ? config.cniVersion : undefined
    return typeof version === 'string' && version !== '' ? version.slice(0, 80) : undefined
  } catch {
    // What cannot be read asks for no version; the error that is being told says what is wrong.
    return undefined
  }
}

function malformed(expected: string): CniError {
  return new CniError('CNI_DECODING_FAILURE', `a call of the agent: expected ${expected}`)
}
