import type { Json, JsonObject } from './json.ts'
import type { CniVersion } from './version.ts'

/**
 * The configuration of one plugin as a runtime hands it over (SPEC 1.1.0, "Deriving request
 * configuration from plugin configuration"): the plugin's object of the list, with the network's name
 * and version put in. All other keys are kept as they came.
 */
export interface PluginConfig {
  readonly cniVersion: CniVersion
  /** The network's name, checked. */
  readonly name: string
  readonly type: string
  readonly ipam?: IpamConfig
  readonly runtimeConfig?: JsonObject
  readonly [key: string]: Json | undefined
}

export interface IpamConfig {
  readonly type: string
  readonly [key: string]: Json
}

/** A network list: what an administrator writes (SPEC 1.1.0, section 1). */
export interface NetworkList {
  readonly cniVersion: CniVersion
  readonly name: string
  readonly disableCheck: boolean
  readonly disableGc: boolean
  readonly loadOnlyInlinedPlugins: boolean
  readonly plugins: readonly ListedPlugin[]
}

export interface ListedPlugin {
  readonly type: string
  /** The capabilities it asks the runtime for. */
  readonly capabilities?: Readonly<Record<string, boolean>>
  readonly [key: string]: Json | Readonly<Record<string, boolean>> | undefined
}

/** CONVENTIONS.md, well-known capabilities. */
export type Capability =
  | 'portMappings'
  | 'ipRanges'
  | 'bandwidth'
  | 'dns'
  | 'ips'
  | 'mac'
  | 'infinibandGUID'
  | 'deviceID'
  | 'aliases'
  | 'cgroupPath'
