import {
  CniError,
  type ExecOutcome,
  formatError,
  isJsonObject,
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

/** The variables that an executable hands over. */
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

/** Most octets of a call: more than any configuration that the plugins themselves take. */
export const maxCallLength = 4 * 1024 * 1024

export function formatAgentCall(call: AgentCall): string {
  return JSON.stringify(call)
}

/** CNI_DECODING_FAILURE, naming what is wrong. */
export function parseAgentCall(text: string): AgentCall {
  const value = parseJson(text, { what: 'the call' })
  if (!isJsonObject(value)) throw malformed('an object')
  const { type, env, stdin } = value
  if (typeof type !== 'string' || typeof stdin !== 'string') throw malformed('`type` and `stdin` as text')
  if (!isJsonObject(env ?? null)) throw malformed('`env` as an object')
  const pairs = Object.entries(isJsonObject(env ?? null) ? (env ?? {}) : {})
  const texts = pairs.map(([name, content]): [string, string] => {
    if (typeof content !== 'string') throw malformed(`env.${name} as text`)
    return [name, content]
  })
  return { type, env: Object.fromEntries(texts), stdin }
}

export function formatAgentAnswer({ stdout, stderr, exitCode }: ExecOutcome): string {
  return JSON.stringify({ stdout, stderr, exitCode })
}

/** CNI_IO_FAILURE where the agent did not answer in its own words. */
export function parseAgentAnswer(text: string): ExecOutcome {
  try {
    const value = parseJson(text, { what: 'the agent’s answer' })
    if (isJsonObject(value)) {
      const { stdout, stderr, exitCode } = value
      if (typeof stdout === 'string' && typeof stderr === 'string' && typeof exitCode === 'number') {
        return { stdout, stderr, exitCode }
      }
    }
  } catch (cause) {
    throw new CniError('CNI_IO_FAILURE', 'the agent broke off, or what listens there is no agent', { cause })
  }
  throw new CniError('CNI_IO_FAILURE', 'the agent answered with something that is no outcome of a call')
}

/** A failure as a plugin executable would have printed it. */
export function failedOutcome(error: unknown): ExecOutcome {
  const document = formatError(toCniError(error), newestCniVersion)
  return { stdout: `${JSON.stringify(document)}\n`, stderr: '', exitCode: 1 }
}

function malformed(expected: string): CniError {
  return new CniError('CNI_DECODING_FAILURE', `a call of the agent: expected ${expected}`)
}
