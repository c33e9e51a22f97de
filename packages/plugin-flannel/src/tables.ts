import type { FdbEntry, KernelError, Namespace, Neighbor, Operation, Route } from '@podfabric/kernel'
import { ownership } from '@podfabric/kernel'
import { covers, type Prefix } from '@podfabric/netaddr'

/**
 * The rows that the network needs on this node for its peers: one route each, and for a tunnel one neighbor and one fdb entry. No
 * two routes have one destination, no two neighbors one address, and no two fdb entries one MAC address.
 */
export interface PeerTables {
  readonly routes: readonly Route[]
  readonly neighbors: readonly Neighbor[]
  readonly fdb: readonly FdbEntry[]
}

/** Which rows are ours to change. */
export interface OwnedRows {
  /** The tunnel device: its permanent neighbors and all its fdb entries are ours. */
  readonly tunnel?: string
  /** Routes with our mark to parts of this network, in the main table, are ours. */
  readonly network: Prefix
}

/**
 * Makes the rows what they should be, comparing with what is there: what is right, and what is not ours, is not touched. A
 * peer's fdb entry comes before its neighbor and that before its route, and they go the other way round, so that no packet finds
 * a route to nowhere.
 * Returns what the kernel refused; the rest is done.
 */
export async function reconcile(
  namespace: Namespace,
  owned: OwnedRows,
  wanted: PeerTables,
): Promise<readonly KernelError[]> {
  const operations = await difference(namespace, owned, wanted)
  if (operations.length === 0) return []
  const outcomes = await namespace.apply(operations)
  return outcomes.flatMap((outcome) => (outcome.ok ? [] : [outcome.error]))
}

async function difference(namespace: Namespace, owned: OwnedRows, wanted: PeerTables): Promise<Operation[]> {
  const { tunnel } = owned
  const [routes, neighbors, fdb] = await Promise.all([
    namespace.routes.list(),
    tunnel === undefined ? [] : namespace.neighbors.list(),
    tunnel === undefined ? [] : namespace.fdb.list(),
  ])
  const route = routeOperations(routes, owned, wanted.routes)
  const neighbor = neighborOperations(
    neighbors.filter(({ link, state, proxy }) => link === tunnel && state === 'permanent' && proxy !== true),
    wanted.neighbors,
  )
  const entry = fdbOperations(
    fdb.filter(({ link, destination }) => link === tunnel && destination !== undefined),
    wanted.fdb,
  )
  return [...entry.set, ...neighbor.set, ...route.remove, ...route.set, ...neighbor.remove, ...entry.remove]
}

interface Steps {
  readonly set: readonly Operation[]
  readonly remove: readonly Operation[]
}

/**
 * A route of ours is replaced in place. Where somebody else has a route of the same place in the table, the kernel's replace would
 * take theirs; adding is refused instead, and says so.
 */
function routeOperations(actual: readonly Route[], owned: OwnedRows, wanted: readonly Route[]): Steps {
  const own = actual.filter((route) => isOwnRoute(route, owned))
  const { missing, extra } = compare(own, wanted, routeText)
  const places = new Set(wanted.map(placeText))
  const owners = new Map<string, { own: number; foreign: number }>()
  for (const route of actual) {
    const place = placeText(route)
    if (!places.has(place)) continue
    const count = owners.get(place) ?? { own: 0, foreign: 0 }
    count[isOwnRoute(route, owned) ? 'own' : 'foreign']++
    owners.set(place, count)
  }
  const isReplaced = (route: Route) => {
    const { own: mine = 0, foreign = 0 } = owners.get(placeText(route)) ?? {}
    return mine === 1 && foreign === 0
  }
  const replaced = new Set(missing.filter(isReplaced).map(placeText))
  return {
    remove: extra
      .filter((route) => !replaced.has(placeText(route)))
      .map((route) => ({ op: 'route.delete', route })),
    set: missing.map((route) => ({
      op: replaced.has(placeText(route)) ? 'route.replace' : 'route.add',
      route,
    })),
  }
}

function neighborOperations(actual: readonly Neighbor[], wanted: readonly Neighbor[]): Steps {
  const { missing, extra } = compare(actual, wanted, neighborText)
  const replaced = new Set(missing.map(({ address }) => address))
  return {
    set: missing.map((neighbor) => ({ op: 'neighbor.replace', neighbor })),
    remove: extra
      .filter(({ address }) => !replaced.has(address))
      .map((neighbor) => ({ op: 'neighbor.delete', neighbor })),
  }
}

/** Replacing changes the first of a MAC address' destinations, so the others go first: frames always have one. */
function fdbOperations(actual: readonly FdbEntry[], wanted: readonly FdbEntry[]): Steps {
  const { missing, extra } = compare(actual, wanted, fdbText)
  const replaced = new Set(missing.map(({ mac }) => mac))
  const kept = new Set<string>()
  const surplus = extra.filter(({ mac }) => {
    const stays = replaced.has(mac) && !kept.has(mac)
    kept.add(mac)
    return !stays
  })
  const drop = (entry: FdbEntry): Operation => ({ op: 'fdb.delete', entry })
  return {
    set: [
      ...surplus.filter(({ mac }) => replaced.has(mac)).map(drop),
      ...missing.map((entry): Operation => ({ op: 'fdb.replace', entry })),
    ],
    remove: surplus.filter(({ mac }) => !replaced.has(mac)).map(drop),
  }
}

const mainTable = 254

function isOwnRoute({ protocol, destination, table = mainTable }: Route, { network }: OwnedRows): boolean {
  return protocol === ownership.routeProtocol && table === mainTable && covers(network, destination)
}

function compare<Row>(actual: readonly Row[], wanted: readonly Row[], text: (row: Row) => string) {
  const there = new Set(actual.map(text))
  const needed = new Set(wanted.map(text))
  return {
    missing: wanted.filter((row) => !there.has(text(row))),
    extra: actual.filter((row) => !needed.has(text(row))),
  }
}

/** What no two IPv4 routes share unless somebody appends; of IPv6, with the default metric that the kernel fills in. */
function placeText({ destination, table = mainTable, metric }: Route): string {
  return `${table} ${destination} ${metric ?? (destination.includes(':') ? 1024 : 0)}`
}

const routeText = (route: Route) =>
  `${placeText(route)} ${route.gateway} ${route.link} ${route.onlink ?? false} ${route.type ?? 'unicast'}`
const neighborText = ({ address, mac }: Neighbor) => `${address} ${mac}`
const fdbText = ({ mac, destination, state = 'permanent' }: FdbEntry) => `${mac} ${destination} ${state}`
