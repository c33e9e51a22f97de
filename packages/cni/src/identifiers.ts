import { CniError } from './error.ts'

const identifier = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/
const longestIfName = 15
/** Far above what runtimes use (64); what is longer has no place in a store's key. */
const longestContainerId = 200
/** A file name's limit: names become one in runtimes' caches. */
const longestNetworkName = 128

/** CNI_CONTAINERID (SPEC 1.1.0, section 2). Throws CNI_INVALID_ENVIRONMENT. */
export function parseContainerId(text: string): string {
  return refuse(
    'CNI_INVALID_ENVIRONMENT',
    'CNI_CONTAINERID',
    text,
    againstIdentifier(text, longestContainerId),
  )
}

/** A network's `name` (SPEC 1.1.0, section 1). Throws CNI_INVALID_NETWORK_CONFIG. */
export function parseNetworkName(text: string): string {
  return refuse('CNI_INVALID_NETWORK_CONFIG', 'name', text, againstIdentifier(text, longestNetworkName))
}

/**
 * CNI_IFNAME: 1 to 15 octets of UTF-8, not `.` or `..`, without `/`, `:`, white space and control characters,
 * as Linux has it. Throws CNI_INVALID_ENVIRONMENT.
 */
export function parseIfName(text: string): string {
  return refuse('CNI_INVALID_ENVIRONMENT', 'CNI_IFNAME', text, againstIfName(text))
}

/** A plugin's `type`, the name of an executable and never a path. Throws CNI_INVALID_NETWORK_CONFIG naming `key`. */
export function parsePluginType(text: string, key: string): string {
  return refuse('CNI_INVALID_NETWORK_CONFIG', key, text, againstPluginType(text))
}

function refuse(
  code: 'CNI_INVALID_ENVIRONMENT' | 'CNI_INVALID_NETWORK_CONFIG',
  name: string,
  text: string,
  reason: string | undefined,
): string {
  if (reason === undefined) return text
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  throw new CniError(code, `${name} ${shown}: ${reason}`)
}

function againstIdentifier(text: string, longest: number): string | undefined {
  if (text === '') return 'must not be empty'
  if (text.length > longest) return `has ${text.length} characters; at most ${longest} are taken`
  if (identifier.test(text)) return undefined
  return "must start with a letter or digit, and go on with letters, digits, '_', '.' and '-'"
}

function againstIfName(text: string): string | undefined {
  if (text === '') return 'must not be empty'
  if (text === '.' || text === '..') return 'must not be a folder'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused.
  if (/[/:\s\u0000-\u001f\u007f]/u.test(text)) {
    return "must not hold '/', ':', white space or control characters"
  }
  if (/\p{Surrogate}/u.test(text)) return 'must be well-formed text'
  const octets = new TextEncoder().encode(text).length
  return octets > longestIfName ? `has ${octets} octets; at most ${longestIfName} are taken` : undefined
}

function againstPluginType(text: string): string | undefined {
  if (text === '') return 'must not be empty'
  if (text === '.' || text === '..') return 'must not be a folder'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused.
  if (/[/\\\u0000-\u001f\u007f]/.test(text)) return 'must be the name of an executable, not a path'
  return text.length > 255 ? 'is longer than a file name can be' : undefined
}
