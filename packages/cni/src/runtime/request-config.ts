import type { ListedPlugin, NetworkList } from '../config.ts'
import { formatResult } from '../format-result.ts'
import type { Json, JsonObject } from '../json.ts'
import type { AddResult } from '../result.ts'

/** What the runtime puts into a plugin's object. */
export interface RequestParts {
  /** What the runtime has for capabilities, by their names. */
  readonly capabilityArgs?: JsonObject | undefined
  readonly prevResult?: AddResult | undefined
  /** Keys of its own: GC's lists. */
  readonly more?: JsonObject
}

/**
 * The configuration that one plugin is given (SPEC 1.1.0, section 3, "Deriving request configuration from plugin
 * configuration"): name and version of the network put in, `capabilities` left out, `runtimeConfig` for the capabilities that
 * the plugin's object asks for and the runtime has data for, and every key of the author's kept but those that are the
 * runtime's own (`runtimeConfig`, `prevResult`, `cni.dev/…`).
 */
export function requestConfig(network: NetworkList, plugin: ListedPlugin, parts: RequestParts): JsonObject {
  const kept = Object.entries(plugin).filter(
    (entry): entry is [string, Json] => entry[1] !== undefined && !isRuntimes(entry[0]),
  )
  const runtimeConfig = Object.entries(parts.capabilityArgs ?? {}).filter(
    ([capability]) => plugin.capabilities?.[capability] === true,
  )
  return {
    ...Object.fromEntries(kept),
    cniVersion: network.cniVersion,
    name: network.name,
    ...(runtimeConfig.length > 0 && { runtimeConfig: Object.fromEntries(runtimeConfig) }),
    ...(parts.prevResult && { prevResult: formatResult(parts.prevResult, network.cniVersion) }),
    ...parts.more,
  }
}

function isRuntimes(key: string): boolean {
  return (
    key === 'capabilities' || key === 'runtimeConfig' || key === 'prevResult' || key.startsWith('cni.dev/')
  )
}
