import { CniError, type Ip, ipSchema, type PluginConfig, parseConfig, refuseKeys } from '@podfabric/cni'
import * as v from 'valibot'

/** What portmap reads of a network's configuration. */
export interface PortmapConfig {
  /** Whose source is replaced: nobody's, that of clients whom answers would not reach otherwise, or everybody's. */
  readonly masquerade: 'none' | 'needed' | 'all'
  /** The bit of the packet mark, 0 to 31, that tells who is masqueraded. */
  readonly markBit: number
  /** Ports to publish, each once. */
  readonly wishes: readonly PublishWish[]
}

/** One port of the node that a container asks for. */
export interface PublishWish {
  readonly protocol: 'tcp' | 'udp'
  /** 1 to 65535. */
  readonly hostPort: number
  /** 1 to 65535. */
  readonly containerPort: number
  /** The one address of the node that the port is published on; `0.0.0.0` or `::` stand for all of their family. Missing: all. */
  readonly hostIp?: Ip
}

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535))
const given = <const Schema extends v.GenericSchema>(schema: Schema) => v.exactOptional(v.nullable(schema))

const mappingKeys = ['hostPort', 'containerPort', 'protocol', 'hostIP']

const mapping = v.pipe(
  v.record(v.string(), v.unknown()),
  v.transform(withKnownKeys),
  v.object({
    hostPort: port,
    containerPort: v.pipe(port, v.minValue(1)),
    protocol: given(v.string()),
    hostIP: given(v.union([v.literal(''), ipSchema])),
  }),
)

const schema = v.object({
  snat: given(v.boolean()),
  masqAll: given(v.boolean()),
  markMasqBit: given(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(31))),
  backend: given(v.picklist(['', 'nftables', 'iptables'])),
  runtimeConfig: given(v.object({ portMappings: given(v.array(mapping)) })),
})

const unsupported = {
  externalSetMarkChain:
    'it is a chain of iptables: leave it out, and what needs it is masqueraded by rules of our own',
  conditionsV4: 'they are matches of iptables: leave them out, and give mappings a hostIP',
  conditionsV6: 'they are matches of iptables: leave them out, and give mappings a hostIP',
}

/**
 * Throws CNI_INVALID_NETWORK_CONFIG or CNI_UNSUPPORTED_FIELD, naming the key. A mapping of host port 0 is left out; the same one
 * twice is one.
 */
export function parsePortmapConfig(config: PluginConfig): PortmapConfig {
  refuseKeys(config, unsupported)
  const { snat, masqAll, markMasqBit, backend, runtimeConfig } = parseConfig(schema, config)
  if (backend === 'iptables') {
    throw new CniError(
      'CNI_UNSUPPORTED_FIELD',
      'backend: "iptables" is not supported: leave it out, nftables is the only one there is',
    )
  }
  const wishes = new Map<string, PublishWish>()
  for (const [index, each] of (runtimeConfig?.portMappings ?? []).entries()) {
    if (each.hostPort === 0) continue
    const place = `runtimeConfig.portMappings[${index}]`
    const { hostPort, containerPort } = each
    const protocol = protocolOf(each.protocol || 'tcp', place)
    const hostIp = each.hostIP ? checkedHostIp(each.hostIP, place) : undefined
    const wish = { protocol, hostPort, containerPort, ...(hostIp && { hostIp }) }
    wishes.set(JSON.stringify(wish), wish)
  }
  return {
    masquerade: snat === false ? 'none' : masqAll === true ? 'all' : 'needed',
    markBit: markMasqBit ?? DEFAULT_MARK_BIT,
    wishes: [...wishes.values()],
  }
}

/** containerd writes `HostPort`, `ContainerPort`, … where others write as the convention does; Go takes either for the key. */
function withKnownKeys(written: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(written).map(([key, value]) => [
      mappingKeys.find((known) => known.toLowerCase() === key.toLowerCase()) ?? key,
      value,
    ]),
  )
}

/** The containernetworking portmap's; Kubernetes takes 14 and 15. */
const DEFAULT_MARK_BIT = 13

function protocolOf(text: string, place: string): PublishWish['protocol'] {
  const name = text.toLowerCase()
  if (name === 'tcp' || name === 'udp') return name
  if (name === 'sctp') {
    throw new CniError(
      'CNI_UNSUPPORTED_FIELD',
      `${place}.protocol: "sctp" is not supported: there is "tcp" and "udp"`,
    )
  }
  throw new CniError(
    'CNI_INVALID_NETWORK_CONFIG',
    `${place}.protocol: expected "tcp" or "udp", found ${JSON.stringify(text)}`,
  )
}

function checkedHostIp(hostIp: Ip, place: string): Ip {
  if (hostIp !== '::1') return hostIp
  throw new CniError(
    'CNI_UNSUPPORTED_FIELD',
    `${place}.hostIP: "::1" is not supported: Linux routes nothing from or to it; use 127.0.0.1`,
  )
}
