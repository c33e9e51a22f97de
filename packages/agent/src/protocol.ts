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
 * What a plugin executable hands to the agent: the call that its own process got. One call for each connection, which stays open
 * until the answer is there: a caller that closes it, or dies, has given the call up.
 *
 * A call is 16 octets (`PFC1`, then the lengths of what follows as 32-bit little-endian numbers), the type, the variables
 * (`NAME=value`, each ended by a zero) and stdin. An answer is 16 octets (`PFA1`, the exit code, the lengths), stdout and stderr,
 * then the end of the stream. All texts are UTF-8.
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

/** Most octets of a call, and of an answer; what a plugin reads from stdin at most fits. */
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

/** CNI_DECODING_FAILURE for what does not fit: more than `maxCallLength`, a zero in a variable. */
export function formatAgentCall({ type, env, stdin }: AgentCall): Uint8Array {
  const entries = Object.entries(env)
  if (entries.some(([, value]) => value.includes('\0'))) throw malformed('no zero in a variable')
  const variables = entries.map(([name, value]) => `${name}=${value}\0`).join('')
  const octets = framed('PFC1', [type, variables, stdin])
  if (octets.length <= maxCallLength) return octets
  throw new CniError('CNI_DECODING_FAILURE', `a call of more than ${maxCallLength} octets`)
}

/**
 * How long the call is that begins with these octets; undefined while that cannot be told. CNI_DECODING_FAILURE where no call
 * begins like this, and for one of more than `maxCallLength` octets.
 */
export function agentCallLength(octets: Uint8Array): number | undefined {
  for (let i = 0; i < Math.min(4, octets.length); i++) {
    if (octets[i] !== 'PFC1'.charCodeAt(i)) throw malformed('`PFC1` at its beginning')
  }
  if (octets.length < headerLength) return undefined
  const length = numbersOf(octets).reduce((sum, part) => sum + part, headerLength)
  if (length <= maxCallLength) return length
  throw new CniError('CNI_DECODING_FAILURE', `a call of more than ${maxCallLength} octets`)
}

/** CNI_DECODING_FAILURE, naming what is wrong; a variable that is not handed over is wrong too. */
export function parseAgentCall(octets: Uint8Array): AgentCall {
  if (agentCallLength(octets) !== octets.length) throw malformed('as many octets as it announces')
  const [typeLength = 0, envLength = 0] = numbersOf(octets)
  const envAt = headerLength + typeLength
  const stdinAt = envAt + envLength
  return {
    type: textOf(octets.subarray(headerLength, envAt), 'the type'),
    env: parseEnv(textOf(octets.subarray(envAt, stdinAt), 'a variable')),
    stdin: textOf(octets.subarray(stdinAt), 'stdin'),
  }
}

function parseEnv(text: string): Readonly<Record<string, string>> {
  const env: Record<string, string> = {}
  if (text === '') return env
  if (!text.endsWith('\0')) throw malformed('a zero behind each variable')
  for (const entry of text.slice(0, -1).split('\0')) {
    const at = entry.indexOf('=')
    const name = handedOver.find((known) => known === entry.slice(0, Math.max(at, 0)))
    if (name === undefined) throw malformed(`no variable ${JSON.stringify(entry.slice(0, 40))}`)
    if (Object.hasOwn(env, name)) throw malformed(`the variable ${name} once`)
    env[name] = entry.slice(at + 1)
  }
  return env
}

export function formatAgentAnswer({ stdout, stderr, exitCode }: ExecOutcome): Uint8Array {
  const octets = framed('PFA1', [stdout, stderr])
  octets.copyWithin(8, 4, 12)
  new DataView(octets.buffer).setUint32(4, exitCode, true)
  return octets
}

/** CNI_IO_FAILURE where the agent did not answer in its own words. */
export function parseAgentAnswer(octets: Uint8Array): ExecOutcome {
  if (octets.length >= headerLength && new TextDecoder().decode(octets.subarray(0, 4)) === 'PFA1') {
    const [exitCode = 0, out = 0, err = 0] = numbersOf(octets)
    if (exitCode <= 255 && octets.length === headerLength + out + err) {
      const errAt = headerLength + out
      try {
        return {
          stdout: utf8.decode(octets.subarray(headerLength, errAt)),
          stderr: utf8.decode(octets.subarray(errAt)),
          exitCode,
        }
      } catch (cause) {
        throw new CniError('CNI_IO_FAILURE', 'the agent answered with what is no UTF-8', { cause })
      }
    }
  }
  throw new CniError('CNI_IO_FAILURE', 'the agent broke off, or what listens there is no agent')
}

const headerLength = 16
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A mark, the lengths of the texts, the texts. */
function framed(mark: string, texts: readonly string[]): Uint8Array<ArrayBuffer> {
  const parts = texts.map((text) => new TextEncoder().encode(text))
  const octets = new Uint8Array(parts.reduce((sum, { length }) => sum + length, headerLength))
  octets.set(new TextEncoder().encode(mark))
  const view = new DataView(octets.buffer)
  let at = headerLength
  parts.forEach((part, i) => {
    view.setUint32(4 + 4 * i, part.length, true)
    octets.set(part, at)
    at += part.length
  })
  return octets
}

function numbersOf(octets: Uint8Array): readonly number[] {
  const view = new DataView(octets.buffer, octets.byteOffset)
  return [4, 8, 12].map((at) => view.getUint32(at, true))
}

function textOf(octets: Uint8Array, what: string): string {
  try {
    return utf8.decode(octets)
  } catch (cause) {
    throw new CniError('CNI_DECODING_FAILURE', `${what} is not UTF-8`, { cause })
  }
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
