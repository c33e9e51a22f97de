import {
  type Ip,
  ipSchema,
  type PluginConfig,
  parseConfig,
  prefixSchema,
  type ResultRoute,
  refuseKeys,
} from '@podfabric/cni'
import type { Pool, PoolRange } from '@podfabric/ipam'
import * as v from 'valibot'

/** What host-local reads of a network's configuration. */
export interface HostLocalConfig {
  /** One address of each. */
  readonly pools: readonly Pool[]
  /** Whether some of the pools came with the call (capability `ipRanges`), and may never come again. */
  readonly passing: boolean
  readonly routes: readonly ResultRoute[]
  /** Addresses that were asked for by the runtime: capability `ips`, or `args.cni.ips`. */
  readonly requested: readonly Ip[]
  /** The folder of another implementation's files, absolute; undefined is its own default. */
  readonly dataDir: string | undefined
  /** A file in the form of resolv.conf(5) that the result's `dns` is read from. */
  readonly resolvConf: string | undefined
}

const range = v.object({
  subnet: prefixSchema,
  rangeStart: v.exactOptional(ipSchema),
  rangeEnd: v.exactOptional(ipSchema),
  gateway: v.exactOptional(ipSchema),
})

const rangeSets = v.array(v.pipe(v.array(range), v.minLength(1, 'expected at least one range')))

const uint = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

const route = v.pipe(
  v.object({
    dst: prefixSchema,
    gw: v.exactOptional(ipSchema),
    mtu: v.exactOptional(uint),
    advmss: v.exactOptional(uint),
    priority: v.exactOptional(uint),
    table: v.exactOptional(uint),
    scope: v.exactOptional(uint),
  }),
  v.transform(
    ({ dst, gw, ...more }): ResultRoute => ({ destination: dst, ...(gw && { gateway: gw }), ...more }),
  ),
)

/** As runtimes give them: `10.1.2.3`, or with a prefix length that says nothing more. */
export const requestedIp = v.pipe(
  v.string(),
  v.transform((text) => text.replace(/\/\d+$/, '')),
  ipSchema,
)

/** Empty is "not given". */
const path = v.pipe(v.string(), v.regex(/^(\/[^\0]*)?$/, 'expected an absolute path'))

const schema = v.object({
  ipam: v.object({
    ranges: v.exactOptional(rangeSets, []),
    routes: v.exactOptional(v.array(route), []),
    dataDir: v.exactOptional(path, ''),
    resolvConf: v.exactOptional(path, ''),
  }),
  runtimeConfig: v.exactOptional(
    v.object({
      ips: v.exactOptional(v.array(requestedIp), []),
      ipRanges: v.exactOptional(rangeSets, []),
    }),
    {},
  ),
  args: v.exactOptional(
    v.object({
      cni: v.exactOptional(v.object({ ips: v.exactOptional(v.array(requestedIp), []) }), {}),
    }),
    {},
  ),
})

/**
 * Throws CNI_INVALID_NETWORK_CONFIG or CNI_UNSUPPORTED_FIELD, naming the key. Without the node's files, `resolvConf` is one
 * of those.
 */
export function parseHostLocalConfig(config: PluginConfig, hasFiles = false): HostLocalConfig {
  const { ipam, runtimeConfig, args } = parseConfig(schema, config)
  if (!hasFiles) {
    const way = 'there are no files here: write "dns" into the network configuration'
    refuseKeys(config.ipam ?? {}, { resolvConf: way }, 'ipam')
  }
  const shorthand = config.ipam?.subnet === undefined ? [] : [[parseConfig(range, config.ipam, 'ipam')]]
  const sets = [...(runtimeConfig.ipRanges ?? []), ...shorthand, ...ipam.ranges]
  if (sets.length === 0) parseConfig(v.object({ subnet: prefixSchema }), config.ipam, 'ipam')
  return {
    pools: sets.map((ranges, index) => ({ name: `ranges-${index}`, ranges: ranges as readonly PoolRange[] })),
    passing: (runtimeConfig.ipRanges ?? []).length > 0,
    routes: ipam.routes,
    requested: runtimeConfig.ips?.length ? runtimeConfig.ips : (args.cni?.ips ?? []),
    dataDir: ipam.dataDir || undefined,
    resolvConf: ipam.resolvConf || undefined,
  }
}
