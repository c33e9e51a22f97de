import type { Address, AddressKey } from './address.ts'
import type { Capture } from './capture.ts'
import type { Change } from './changes.ts'
import type { Conntrack } from './conntrack.ts'
import type { Link, LinkChange, LinkSpec } from './link.ts'
import type { FdbEntry, FdbKey, Neighbor, NeighborKey } from './neighbor.ts'
import type { Nft } from './nft.ts'
import type { Operation, Outcome } from './operation.ts'
import type { Route, RouteAnswer, RouteKey, RouteQuery, Rule } from './route.ts'
import type { Sockets } from './sockets.ts'

/**
 * A handle on one network namespace, in the nouns and verbs of iproute2. Dispose it when done.
 * The tables' changing verbs are `apply` of one operation that throws its `KernelError`.
 */
export interface Namespace extends AsyncDisposable {
  /**
   * Applies operations in order and returns one outcome for each. There is no rollback: an operation
   * that fails does not stop those after it. Never rejects for what an operation did.
   */
  apply(operations: readonly Operation[]): Promise<readonly Outcome[]>
  readonly links: Links
  readonly addresses: Table<Address, AddressKey>
  readonly routes: Routes
  readonly rules: Rules
  readonly neighbors: Table<Neighbor, NeighborKey>
  readonly fdb: Fdb
  readonly sysctl: Sysctl
  readonly nft: Nft
  readonly conntrack: Conntrack
  readonly sockets: Sockets
  /** Starts to capture frames on a link. ENODEV. */
  capture(link: string): Promise<Capture>
  /**
   * Changes from the moment of the call on. A reader that is too slow is told once with `overrun`, and
   * must list again: what came between is lost. Ends when the signal is aborted.
   */
  changes(options?: { readonly signal?: AbortSignal | undefined }): AsyncIterable<Change>
}

export interface Table<Row, Key> {
  add(row: Row): Promise<void>
  replace(row: Row): Promise<void>
  delete(key: Key): Promise<void>
  /** In the kernel's order. Rows the kernel made itself are there too. */
  list(): Promise<readonly Row[]>
}

export interface Links {
  add(link: LinkSpec): Promise<void>
  set(name: string, change: LinkChange): Promise<void>
  delete(name: string): Promise<void>
  /** ENODEV. */
  get(name: string): Promise<Link>
  /** By index. */
  list(): Promise<readonly Link[]>
}

export interface Routes extends Table<Route, RouteKey> {
  /** `ip route get`. ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), EINVAL (blackhole). */
  lookup(query: RouteQuery): Promise<RouteAnswer>
}

export interface Rules {
  add(rule: Rule): Promise<void>
  delete(rule: Rule): Promise<void>
  list(): Promise<readonly Rule[]>
}

export interface Fdb extends Table<FdbEntry, FdbKey> {
  append(entry: FdbEntry): Promise<void>
}

export interface Sysctl {
  /** By dotted name, `net.ipv4.ip_forward`; a link's own name may hold dots: write it with `/`. ENOENT. */
  get(name: string): Promise<string>
  set(name: string, value: string): Promise<void>
  /**
   * As `set`, but writes nothing where the value stands already: writing some, `forwarding` of IPv6 for one, sets others back
   * even then. Runs of white space count as one space in the comparison.
   */
  ensure(name: string, value: string): Promise<void>
}
