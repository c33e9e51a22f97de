import type { ListedPlugin, NetworkList } from './config.ts'
import { CniError, type CniErrorCode } from './error.ts'
import { parseNetworkName, parsePluginType } from './identifiers.ts'
import type { Json, JsonObject } from './json.ts'
import { excerpt } from './json-reader.ts'
import { isJsonObject, keyPath, lineAndColumn, parseJson } from './parse-json.ts'
import { type CniVersion, cniVersions, isCniVersion } from './version.ts'

export interface NetworkListOptions {
  /** What the text is, for messages: its file's name. Default `the network list`. */
  readonly what?: string
  /** The versions that the runtime serves. The highest that the list offers too is taken. Default: all. */
  readonly versions?: readonly CniVersion[]
  /** Plugin objects from elsewhere, appended unless the list says `loadOnlyInlinedPlugins`. */
  readonly aggregated?: readonly JsonObject[]
}

/**
 * A network list as an administrator writes it (SPEC 1.1.0, section 1). `disableCheck`, `disableGC` and
 * `loadOnlyInlinedPlugins` may be a boolean, or `"true"` or `"false"` in any letter case, as the specification's library reads them.
 * Keys that the specification does not know are kept in each plugin's object and ignored in the list.
 * Throws CNI_DECODING_FAILURE (not JSON), CNI_INVALID_NETWORK_CONFIG, CNI_INCOMPATIBLE_VERSION; the message names the text, line and
 * column, the key and what was expected.
 */
export function parseNetworkList(text: string, options: NetworkListOptions = {}): NetworkList {
  const { what = 'the network list', versions = cniVersions, aggregated = [] } = options
  const positions = new Map<string, number>()
  const value = parseJson(text, { what, positions })
  const refuse: Refuse = (path, reason, code = 'CNI_INVALID_NETWORK_CONFIG') => {
    const { line, column } = lineAndColumn(text, positions.get(path) ?? positions.get(parentOf(path)) ?? 0)
    throw new CniError(code, `${what}: line ${line}, column ${column}: ${path || 'the list'}: ${reason}`)
  }

  if (!isJsonObject(value)) refuse('', `expected an object, found ${excerpt(value)}`)
  const list = value
  if (list.plugins === undefined && list.type !== undefined) {
    refuse(
      'type',
      'this is the configuration of one plugin; write it into the list "plugins" of a network list',
    )
  }
  const name = parsed('name', textOf(list, 'name', '', refuse), parseNetworkName, refuse)
  const onlyInlined = flag(list, 'loadOnlyInlinedPlugins', refuse)
  if (onlyInlined && list.plugins === undefined) {
    refuse('loadOnlyInlinedPlugins', 'it is true and there is no list "plugins", so no plugin would run')
  }
  const inlined = list.plugins ?? []
  if (!Array.isArray(inlined)) refuse('plugins', `expected a list of objects, found ${excerpt(list.plugins)}`)
  const plugins = (inlined as readonly Json[]).map((each, index) =>
    parsePlugin(each, keyPath('plugins', index), refuse),
  )
  const added = onlyInlined ? [] : aggregated.map((each) => parsePlugin(each, 'plugins', refuse))
  if (plugins.length + added.length === 0) refuse('plugins', 'expected at least one plugin')
  return {
    cniVersion: selectVersion(list, versions, refuse),
    name,
    disableCheck: flag(list, 'disableCheck', refuse),
    disableGc: flag(list, 'disableGC', refuse),
    loadOnlyInlinedPlugins: onlyInlined,
    plugins: [...plugins, ...added],
  }
}

type Refuse = (path: string, reason: string, code?: CniErrorCode) => never

function parsePlugin(value: Json, path: string, refuse: Refuse): ListedPlugin {
  if (!isJsonObject(value)) refuse(path, `expected an object, found ${excerpt(value)}`)
  const type = parsePluginTypeAt(value, path, refuse)
  const ipam = value.ipam
  if (isJsonObject(ipam) && ipam.type !== undefined) parsePluginTypeAt(ipam, keyPath(path, 'ipam'), refuse)
  const { capabilities, ...others } = value
  if (capabilities === undefined || capabilities === null) return { ...others, type }
  const at = keyPath(path, 'capabilities')
  if (!isJsonObject(capabilities))
    refuse(at, `expected an object of booleans, found ${excerpt(capabilities)}`)
  const flags: [string, boolean][] = Object.entries(capabilities).map(([key, flagged]) => {
    if (typeof flagged === 'boolean') return [key, flagged]
    return refuse(keyPath(at, key), `expected true or false, found ${excerpt(flagged)}`)
  })
  return { ...others, type, capabilities: Object.fromEntries(flags) }
}

function parsePluginTypeAt(object: JsonObject, path: string, refuse: Refuse): string {
  const at = keyPath(path, 'type')
  return parsed(at, textOf(object, 'type', path, refuse), (text) => parsePluginType(text, 'type'), refuse)
}

/** The highest version that both sides have (SPEC 1.1.0, section 3). Offers that are not known are passed over. */
function selectVersion(list: JsonObject, served: readonly CniVersion[], refuse: Refuse): CniVersion {
  const offered = [list.cniVersion ?? (list.cniVersions === undefined ? '0.1.0' : undefined)].flat()
  const more = list.cniVersions ?? []
  if (!Array.isArray(more)) refuse('cniVersions', `expected a list of versions, found ${excerpt(more)}`)
  const all = [...offered, ...(more as readonly Json[])].filter((each) => each !== undefined)
  for (const [index, each] of all.entries()) {
    if (typeof each !== 'string' || !/^\d+\.\d+\.\d+$/.test(each)) {
      const path = index === 0 && list.cniVersion !== undefined ? 'cniVersion' : 'cniVersions'
      refuse(path, `expected a version like 1.0.0, found ${excerpt(each)}`)
    }
  }
  const selected = cniVersions.findLast(
    (version) => all.includes(version) && served.includes(version) && isCniVersion(version),
  )
  if (selected !== undefined) return selected
  return refuse(
    list.cniVersion === undefined ? 'cniVersions' : 'cniVersion',
    `none of ${all.join(', ')} is served; served are ${served.join(', ')}`,
    'CNI_INCOMPATIBLE_VERSION',
  )
}

function flag(list: JsonObject, key: string, refuse: Refuse): boolean {
  const value = list[key]
  if (value === undefined || value === null) return false
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' ? value.toLowerCase() : ''
  if (word === 'true' || word === 'false') return word === 'true'
  return refuse(key, `expected true or false, found ${excerpt(value)}`)
}

function textOf(object: JsonObject, key: string, path: string, refuse: Refuse): string {
  const value = object[key]
  if (typeof value === 'string') return value
  const found = value === undefined ? 'it is missing' : `found ${excerpt(value)}`
  return refuse(keyPath(path, key), `expected a text; ${found}`)
}

/** The identifier's own rule, told with its place. */
function parsed(path: string, text: string, parse: (text: string) => string, refuse: Refuse): string {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof CniError)) throw error
    return refuse(path, error.message)
  }
}

function parentOf(path: string): string {
  return path.replace(/(?:\.?[^.[\]]+|\[[^\]]*\])$/, '')
}
