import { KernelError } from '../../error.ts'
import type { Link } from '../../link.ts'
import type { Namespace } from '../../namespace.ts'
import type { FdbEntry, Neighbor } from '../../neighbor.ts'
import type { NftObject } from '../../nft.ts'
import type { Route, RouteQuery } from '../../route.ts'

/** What a namespace shows of itself, a line for each row: the same lines on every kernel that did the same. */
export type Observation = Readonly<Record<string, readonly string[]>>

/** What to ask beside the tables. */
export interface ObservationWishes {
  readonly lookups: readonly RouteQuery[]
  readonly sysctls: readonly string[]
  /** Listing nftables is slow where it means to start a program. */
  readonly nft: boolean
}

export async function observe(at: Namespace, wishes: ObservationWishes): Promise<Observation> {
  const { lookups, sysctls, nft } = wishes
  const routes = (await at.routes.list()).filter(isSettled).map(line).sort()
  return {
    links: (await at.links.list()).map(withoutIndex).map(line),
    addresses: (await at.addresses.list()).map(line),
    routes,
    rules: (await at.rules.list()).map(line),
    neighbors: (await at.neighbors.list()).filter(isKnown).map(line).sort(),
    fdb: (await at.fdb.list()).filter(isUnicast).map(line).sort(),
    'route get': await Promise.all(lookups.map((query) => said(line(query), at.routes.lookup(query)))),
    sysctl: await Promise.all(sysctls.map((name) => said(name, at.sysctl.get(name)))),
    ...(nft ? { nft: (await at.nft.list()).map(withoutHandle).map(line) } : {}),
  }
}

/** A link that Linux refused may have used up a number. */
function withoutIndex(link: Link): object {
  return { ...link, index: undefined, peerIndex: undefined }
}

/** A set or map of a rule alone uses up a number too, and so does what was refused. */
function withoutHandle(object: NftObject): object {
  return { ...object, handle: undefined }
}

/** Linux adds the route for IPv6 groups whenever it gets to look at the link's carrier, up to a second later. */
function isSettled({ type }: Route): boolean {
  return type !== 'multicast'
}

/** Groups need no discovery: whether a kernel keeps a row for one depends on what it sent there and when. */
function isKnown({ address }: Neighbor): boolean {
  return !address.startsWith('ff') && !/^2(2[4-9]|3\d)\./.test(address)
}

/** A card's filter of multicast groups is Linux' own business. */
function isUnicast({ mac }: FdbEntry): boolean {
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0
}

async function said(question: string, answer: Promise<unknown>): Promise<string> {
  return answer.then(
    (value) => `${question}: ${typeof value === 'string' ? value : line(value)}`,
    (error: unknown) => {
      if (error instanceof KernelError) return `${question}: ${error.code}`
      throw error
    },
  )
}

/** A row as `key value` words, keys in order of the alphabet, so that rows are compared by what they say. */
function line(row: unknown): string {
  if (typeof row !== 'object' || row === null) return String(row)
  if (Array.isArray(row)) return `[${row.map(line).join(', ')}]`
  return Object.entries(row)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key} ${typeof value === 'object' ? `(${line(value)})` : String(value)}`)
    .join(' ')
}
