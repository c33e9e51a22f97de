import { CniError, codeOf } from '@podfabric/cni'
import type { Address, Link, Namespace, Route } from '@podfabric/kernel'
import {
  addressOf,
  covers,
  type Family,
  familyOf,
  type Ip,
  isLinkLocal,
  type Prefix,
  prefixLength,
  prefixOf,
} from '@podfabric/netaddr'

/** Where a node meets the others: the link, and the address that its peers reach it at. */
export interface Underlay {
  readonly link: string
  readonly address: Ip
  readonly mtu: number
}

interface Candidate extends Underlay {
  readonly kind: Link['kind']
}

export interface UnderlayWish {
  /** The link's name. Default: the one that the default route leaves by, else the only link with a global address. */
  readonly name?: string | undefined
  /** Of its address. Default: IPv4 where the link has one, else IPv6. */
  readonly family?: Family | undefined
  /** The pods' network: no address of it is the underlay's. */
  readonly pods?: Prefix | undefined
}

/** CNI_NOT_AVAILABLE where none can be told; the message names the configuration key that settles it. */
export async function findUnderlay(
  namespace: Namespace,
  { name, family, pods }: UnderlayWish = {},
): Promise<Underlay> {
  const [links, rows, routes] = await Promise.all([
    namespace.links.list(),
    namespace.addresses.list(),
    namespace.routes.list(),
  ])
  const addresses = rows.filter(({ address }) => pods === undefined || !covers(pods, prefixOf(address)))
  const families = family === undefined ? ([4, 6] as const) : [family]
  const candidates = links.flatMap((link) => {
    const found = families.map((each) => underlayOf(link, addresses, each))
    return found.find((each) => each !== undefined) ?? []
  })
  const found =
    name === undefined ? automatic(candidates, routes) : candidates.find(({ link }) => link === name)
  if (found) return { link: found.link, address: found.address, mtu: found.mtu }
  throw new CniError(
    'CNI_NOT_AVAILABLE',
    `flannel: ${reason(name, family, candidates)}; set "interface" to the link between the nodes`,
  )
}

function underlayOf(link: Link, addresses: readonly Address[], family: Family): Candidate | undefined {
  if (link.kind === 'loopback' || !link.up) return undefined
  const address = addresses.find((row) => row.link === link.name && isGlobal(row, family))
  return address && { link: link.name, address: addressOf(address.address), mtu: link.mtu, kind: link.kind }
}

function isGlobal({ address, scope, tentative }: Address, family: Family): boolean {
  const ip = addressOf(address)
  return familyOf(ip) === family && !isLinkLocal(ip) && (scope ?? 'global') === 'global' && tentative !== true
}

/** A default route with a lower metric is the one that packets take. */
function automatic(candidates: readonly Candidate[], routes: readonly Route[]): Underlay | undefined {
  const byDefault = routes
    .filter(({ destination, type, table }) => prefixLength(destination) === 0 && isUnicastMain(type, table))
    .toSorted((a, b) => (a.metric ?? 0) - (b.metric ?? 0))
    .flatMap(({ link }) => candidates.filter((candidate) => candidate.link === link))
  const plain = candidates.filter(isPlain)
  return byDefault[0] ?? (plain.length === 1 ? plain[0] : undefined)
}

/** Bridges and tunnels are the networks of pods, unless somebody says otherwise. */
const isPlain = ({ kind }: Candidate) => kind !== 'bridge' && kind !== 'vxlan'

const isUnicastMain = (type = 'unicast', table = 254) => type === 'unicast' && table === 254

function reason(
  name: string | undefined,
  family: Family | undefined,
  candidates: readonly Candidate[],
): string {
  const address = family === undefined ? 'global address' : `global IPv${family} address`
  if (name !== undefined) return `link ${name} is not there, or is down, or has no ${address}`
  const plain = candidates.filter(isPlain)
  if (plain.length === 0) return `no link of this node is up and has a ${address}`
  return `there is no default route, and ${plain.map(({ link }) => link).join(' and ')} could be the underlay`
}

/** Whether a peer's address is on the link itself, so that no router stands between. */
export async function isOnLink(namespace: Namespace, { link }: Underlay, peer: Ip): Promise<boolean> {
  try {
    const answer = await namespace.routes.lookup({ destination: peer })
    return answer.type === 'unicast' && answer.link === link && answer.gateway === undefined
  } catch (error) {
    // There is no way to it at all.
    if (codeOf(error) !== undefined) return false
    throw error
  }
}
