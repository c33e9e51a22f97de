import type { FdbEntry, KernelError, Namespace, Neighbor, Operation, Route } from '@podfabric/kernel'
import { ownership } from '@podfabric/kernel'

/** The rows that the network needs on this node for its peers: one route each, and for a tunnel one neighbor and one fdb entry. */
export interface PeerTables {
  readonly routes: readonly Route[]
  readonly neighbors: readonly Neighbor[]
  readonly fdb: readonly FdbEntry[]
}

/** Which rows are ours to change: those on the tunnel's link, and routes with our mark on these links. */
export interface OwnedLinks {
  /** The tunnel device, whose whole neighbor and fdb tables are ours. */
  readonly tunnel?: string
  readonly routes: readonly string[]
}

/**
 * Makes the rows what they should be, comparing with what is there: what is right is not touched. A peer's
 * neighbor and fdb entry come before its route, and go after it, so that no packet finds a route to nowhere.
 * Returns what the kernel refused; the rest is done.
 */
export async function reconcile(
  namespace: Namespace,
  links: OwnedLinks,
  wanted: PeerTables,
): Promise<readonly KernelError[]> {
  const operations = await difference(namespace, links, wanted)
  if (operations.length === 0) return []
  const outcomes = await namespace.apply(operations)
  return outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.error]))
}

async function difference(namespace: Namespace, links: OwnedLinks, wanted: PeerTables): Promise<Operation[]> {
  const { tunnel } = links
  const [routes, neighbors, fdb] = await Promise.all([
    namespace.routes.list(),
    tunnel === undefined ? [] : namespace.neighbors.list(),
    tunnel === undefined ? [] : namespace.fdb.list(),
  ])
  const ownRoutes = routes.filter((route) => isOwnRoute(route, links))
  const ownNeighbors = neighbors.filter(({ link, state }) => link === tunnel && state === 'permanent')
  const ownFdb = fdb.filter(({ link, destination }) => link === tunnel && destination !== undefined)
  const r = compare(ownRoutes, wanted.routes, routeText)
  const n = compare(ownNeighbors, wanted.neighbors, neighborText)
  const f = compare(ownFdb, wanted.fdb, fdbText)
  return [
    ...n.missing.map((neighbor): Operation => ({ op: 'neighbor.replace', neighbor })),
    ...f.missing.map((entry): Operation => ({ op: 'fdb.replace', entry })),
    ...replacedRoutes(r.extra, r.missing).map((route): Operation => ({ op: 'route.delete', route })),
    ...r.missing.map((route): Operation => ({ op: 'route.replace', route })),
    ...f.extra
      .filter((row) => !replaced(row, f.missing))
      .map((entry): Operation => ({ op: 'fdb.delete', entry })),
    ...n.extra
      .filter((row) => !n.missing.some(({ address }) => address === row.address))
      .map((neighbor): Operation => ({ op: 'neighbor.delete', neighbor })),
  ]
}

/** Routes to delete: those whose destination gets no new one (a new one replaces the old). */
function replacedRoutes(extra: readonly Route[], missing: readonly Route[]): Route[] {
  return extra.filter(({ destination }) => !missing.some((route) => route.destination === destination))
}

function replaced(row: FdbEntry, missing: readonly FdbEntry[]): boolean {
  return missing.some(({ mac }) => mac === row.mac)
}

function isOwnRoute({ protocol, link }: Route, { routes }: OwnedLinks): boolean {
  return protocol === ownership.routeProtocol && link !== undefined && routes.includes(link)
}

function compare<Row>(actual: readonly Row[], wanted: readonly Row[], text: (row: Row) => string) {
  const there = new Set(actual.map(text))
  const needed = new Set(wanted.map(text))
  return {
    missing: wanted.filter((row) => !there.has(text(row))),
    extra: actual.filter((row) => !needed.has(text(row))),
  }
}

const routeText = ({ destination, gateway, link, onlink = false }: Route) =>
  `${destination} ${gateway} ${link} ${onlink}`
const neighborText = ({ address, mac }: Neighbor) => `${address} ${mac}`
const fdbText = ({ mac, destination }: FdbEntry) => `${mac} ${destination}`
