import { CniError } from '@podfabric/cni'
import type { Address, Link, Namespace, Route } from '@podfabric/kernel'
import {
  addressOf,
  type Family,
  familyOf,
  type Ip,
  isLinkLocal,
  isV4,
  prefixLength,
} from '@podfabric/netaddr'

/** Where a node meets the others: the link, and the address that its peers reach it at. */
export interface Underlay {
  readonly link: string
  readonly address: Ip
  readonly mtu: number
}

/**
 * The named link, else the one that the default route leaves by, else the only link with a global address.
 * CNI_NOT_AVAILABLE where none can be told; the message names the configuration key that settles it.
 */
export async function findUnderlay(namespace: Namespace, name: string | undefined): Promise<Underlay> {
  const [links, addresses, routes] = await Promise.all([
    namespace.links.list(),
    namespace.addresses.list(),
    namespace.routes.list(),
  ])
  const candidates = links.flatMap(
    (link) => underlayOf(link, addresses, 4) ?? underlayOf(link, addresses, 6) ?? [],
  )
  const found =
    name === undefined ? automatic(candidates, routes) : candidates.find(({ link }) => link === name)
  if (found) return found
  throw new CniError(
    'CNI_NOT_AVAILABLE',
    `flannel: ${reason(name, candidates)}; set "interface" to the link between the nodes`,
  )
}

function underlayOf(link: Link, addresses: readonly Address[], family: Family): Underlay | undefined {
  if (link.kind === 'loopback' || link.kind === 'bridge' || link.kind === 'vxlan' || !link.up)
    return undefined
  const address = addresses.find((row) => row.link === link.name && isGlobal(row, family))
  return address && { link: link.name, address: addressOf(address.address), mtu: link.mtu }
}

function isGlobal({ address, scope, tentative }: Address, family: Family): boolean {
  const ip = addressOf(address)
  return familyOf(ip) === family && !isLinkLocal(ip) && (scope ?? 'global') === 'global' && tentative !== true
}

function automatic(candidates: readonly Underlay[], routes: readonly Route[]): Underlay | undefined {
  const byDefault = routes
    .filter(({ destination, type, table }) => prefixLength(destination) === 0 && isUnicastMain(type, table))
    .flatMap(({ link }) => candidates.filter((candidate) => candidate.link === link))
  return byDefault[0] ?? (candidates.length === 1 ? candidates[0] : undefined)
}

const isUnicastMain = (type = 'unicast', table = 254) => type === 'unicast' && table === 254

function reason(name: string | undefined, candidates: readonly Underlay[]): string {
  if (name !== undefined) return `link ${name} is not there, or is down, or has no global address`
  if (candidates.length === 0) return 'no link of this node is up and has a global address'
  return `there is no default route, and ${candidates.map(({ link }) => link).join(' and ')} could be the underlay`
}

/** Whether a peer's address is on the link itself, so that no router stands between. */
export async function isDirect(namespace: Namespace, underlay: Underlay, peer: Ip): Promise<boolean> {
  if (isV4(peer) !== isV4(underlay.address)) return false
  const answer = await namespace.routes.lookup({ destination: peer })
  return answer.link === underlay.link && answer.gateway === undefined
}
