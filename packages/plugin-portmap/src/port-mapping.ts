import { type AddResult, CniError, type Ip, isJsonObject, type Json, type JsonObject } from '@podfabric/cni'
import { addressOf, isIp, isUnspecified, isV4 } from '@podfabric/netaddr'
import type { PortmapConfig, PublishWish } from './config.ts'

/** One port of the node, in one family, that leads to one port of a container. */
export interface PortMapping {
  readonly protocol: PublishWish['protocol']
  readonly hostPort: number
  /** The one address of the node that it is published on. Missing: all of the family. */
  readonly hostIp?: Ip
  /** The container's. */
  readonly address: Ip
  readonly port: number
}

/** All that one attachment has published: what was recorded at ADD, so that nothing else is needed to find and remove it. */
export interface Published {
  readonly mappings: readonly PortMapping[]
  readonly masquerade: PortmapConfig['masquerade']
  readonly markBit: number
  /** By which link the node reaches the container; missing where it has no route to it. */
  readonly links: { readonly ip?: string; readonly ip6?: string }
}

/** The tables' families. */
export const families = ['ip', 'ip6'] as const
export type Family = (typeof families)[number]

export function familyIn({ address }: { readonly address: Ip }): Family {
  return isV4(address) ? 'ip' : 'ip6'
}

/**
 * Every wish in every family in which the container has an address, its first one. A wish for all addresses and one for a single
 * address of the same port are one if they lead to the same place, else CNI_INVALID_NETWORK_CONFIG.
 */
export function mappingsFor(
  wishes: readonly PublishWish[],
  addresses: readonly Ip[],
): readonly PortMapping[] {
  const mappings = wishes.flatMap(({ protocol, hostPort, containerPort, hostIp }) =>
    addresses
      .filter((address) => hostIp === undefined || isV4(hostIp) === isV4(address))
      .map((address): PortMapping => {
        const only = hostIp !== undefined && !isUnspecified(hostIp) ? { hostIp } : {}
        return { protocol, hostPort, ...only, address, port: containerPort }
      }),
  )
  const kept: PortMapping[] = []
  // Those for all addresses first: they take in the others.
  for (const each of mappings.toSorted((a, b) => Number('hostIp' in a) - Number('hostIp' in b))) {
    const other = kept.find((one) => meet(one, each))
    if (other === undefined) kept.push(each)
    else if (other.port !== each.port) {
      throw new CniError(
        'CNI_INVALID_NETWORK_CONFIG',
        `runtimeConfig.portMappings: ${portName(each)} is to lead to ports ${other.port} and ${each.port}`,
      )
    }
  }
  return kept
}

/** Whether a packet could belong to both: the same port of the same address, where one that names none has all of the family. */
export function meet(a: Claim, b: Claim): boolean {
  return (
    a.protocol === b.protocol &&
    a.hostPort === b.hostPort &&
    familyIn(a) === familyIn(b) &&
    (a.hostIp === undefined || b.hostIp === undefined || a.hostIp === b.hostIp)
  )
}

type Claim = Pick<PortMapping, 'protocol' | 'hostPort' | 'hostIp' | 'address'>

/** For messages: `tcp port 8080 of 192.0.2.1`. */
export function portName({
  protocol,
  hostPort,
  hostIp,
}: Pick<PortMapping, 'protocol' | 'hostPort' | 'hostIp'>): string {
  return `${protocol} port ${hostPort} of ${hostIp ?? 'the node'}`
}

/** The container's first address of each family, as the result of the plugins before tells. */
export function containerAddresses(
  { interfaces, ips }: AddResult,
  { ifName }: { readonly ifName: string },
): readonly Ip[] {
  const own = ips.filter(({ interface: index }) => {
    const where = index === undefined ? undefined : interfaces[index]
    // Nothing said about the interface, as plugins of the first versions do.
    return where === undefined || (where.name === ifName && where.sandbox !== undefined)
  })
  const addresses = own.map(({ address }) => addressOf(address))
  const first = (v4: boolean) => addresses.filter((each) => isV4(each) === v4).slice(0, 1)
  return [...first(true), ...first(false)]
}

export function factsOf({ mappings, masquerade, markBit, links }: Published): JsonObject {
  return {
    mappings: mappings.map((each) => ({ ...each })),
    masquerade,
    markBit,
    links: { ...links },
  }
}

/** What is recorded; what cannot be read is nothing published. */
export function publishedIn(facts: JsonObject | undefined): Published {
  const { mappings, masquerade, markBit, links } = facts ?? {}
  const link = (family: Family) => {
    const name = isJsonObject(links) && Object.hasOwn(links, family) ? links[family] : undefined
    return typeof name === 'string' ? { [family]: name } : {}
  }
  return {
    mappings: Array.isArray(mappings) ? mappings.flatMap(mappingIn) : [],
    masquerade: masquerade === 'none' || masquerade === 'all' ? masquerade : 'needed',
    markBit: typeof markBit === 'number' ? markBit : 0,
    links: { ...link('ip'), ...link('ip6') },
  }
}

function mappingIn(value: Json): readonly PortMapping[] {
  if (!isJsonObject(value)) return []
  const { protocol, hostPort, hostIp, address, port } = value
  if (protocol !== 'tcp' && protocol !== 'udp') return []
  if (typeof hostPort !== 'number' || typeof port !== 'number') return []
  if (typeof address !== 'string' || !isIp(address)) return []
  if (hostIp !== undefined && !(typeof hostIp === 'string' && isIp(hostIp))) return []
  return [{ protocol, hostPort, ...(hostIp !== undefined && { hostIp }), address, port }]
}
