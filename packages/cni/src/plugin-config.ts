import type { PluginConfig } from './config.ts'
import { CniError } from './error.ts'
import { parseNetworkName, parsePluginType } from './identifiers.ts'
import type { Json, JsonObject } from './json.ts'
import { excerpt, wrongValue } from './json-reader.ts'
import { isJsonObject } from './parse-json.ts'
import { type CniVersion, parseCniVersion } from './version.ts'

/** What a plugin says of itself that decides how its configuration is read. */
export interface ConfigReader {
  readonly versions?: readonly CniVersion[]
  /** `ipam.type` where `ipam` has none. */
  readonly ipamType?: string
}

/**
 * The configuration that a runtime gave, its common keys checked and all others kept. An `ipam` without keys counts as
 * absent. Throws CNI_INCOMPATIBLE_VERSION when the version is not one that is served, CNI_DECODING_FAILURE,
 * CNI_INVALID_NETWORK_CONFIG.
 */
export function parsePluginConfig(value: Json | undefined, reader: ConfigReader = {}): PluginConfig {
  if (!isJsonObject(value)) throw wrongValue('the configuration', 'an object', value)
  const cniVersion = parseCniVersion(value.cniVersion, reader.versions)
  const name = parseNetworkName(text(value, 'name'))
  const type = parsePluginType(text(value, 'type'), 'type')
  const { ipam, runtimeConfig, ...others } = value
  return {
    ...others,
    cniVersion,
    name,
    type,
    ...parseIpam(ipam, reader.ipamType),
    ...(runtimeConfig !== undefined &&
      runtimeConfig !== null && { runtimeConfig: object(value, 'runtimeConfig') }),
  }
}

function parseIpam(ipam: Json | undefined, otherwise: string | undefined): Pick<PluginConfig, 'ipam'> {
  if (ipam === undefined || ipam === null) return {}
  if (!isJsonObject(ipam)) throw invalid('ipam', 'an object', ipam)
  if (Object.keys(ipam).length === 0) return {}
  const type = ipam.type === undefined ? otherwise : ipam.type
  if (typeof type !== 'string') throw invalid('ipam.type', 'the name of a plugin', type)
  return { ipam: { ...ipam, type: parsePluginType(type, 'ipam.type') } }
}

function text(config: JsonObject, key: string): string {
  const value = config[key]
  if (typeof value === 'string') return value
  throw invalid(key, 'a text', value)
}

function object(config: JsonObject, key: string): JsonObject {
  const value = config[key]
  if (isJsonObject(value)) return value
  throw invalid(key, 'an object', value)
}

function invalid(key: string, expected: string, value: Json | undefined): CniError {
  const found = value === undefined ? 'it is missing' : `found ${excerpt(value)}`
  return new CniError('CNI_INVALID_NETWORK_CONFIG', `${key}: expected ${expected}; ${found}`)
}
