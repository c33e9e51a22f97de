import type { Address, AddressKey } from './address.ts'
import type { Link } from './link.ts'
import type { Fdb, Namespace, Routes, Rules, Sysctl, Table } from './namespace.ts'
import type { FdbEntry, FdbKey, Neighbor, NeighborKey } from './neighbor.ts'
import type { Nft, NftObject } from './nft.ts'
import type { Operation, Outcome } from './operation.ts'
import type { Route, RouteAnswer, RouteKey, RouteQuery, Rule } from './route.ts'

/** What a kernel has to bring for one namespace; `tablesOver` makes the verbs of iproute2 from it. */
export interface TableDriver {
  /** As `Namespace.apply`: one outcome for each operation, in order, and no rejection for what one did. */
  apply(operations: readonly Operation[]): Promise<readonly Outcome[]>
  /** ENODEV. */
  link(name: string): Promise<Link>
  links(): Promise<readonly Link[]>
  addresses(): Promise<readonly Address[]>
  routes(): Promise<readonly Route[]>
  rules(): Promise<readonly Rule[]>
  neighbors(): Promise<readonly Neighbor[]>
  fdb(): Promise<readonly FdbEntry[]>
  /** As `Routes.lookup`. */
  lookup(query: RouteQuery): Promise<RouteAnswer>
  /** As `Sysctl.get`. */
  sysctl(name: string): Promise<string>
  /** As `Nft.list`. */
  nft(): Promise<readonly NftObject[]>
}

export type NamespaceTables = Pick<
  Namespace,
  'apply' | 'links' | 'addresses' | 'routes' | 'rules' | 'neighbors' | 'fdb' | 'sysctl' | 'nft'
>

/**
 * The tables of one namespace over its driver: every changing verb is `apply` of one operation that
 * throws the operation's `KernelError`.
 */
export function tablesOver(driver: TableDriver): NamespaceTables {
  const change = async (operation: Operation): Promise<void> => {
    const [outcome] = await driver.apply([operation])
    if (outcome === undefined) throw new TypeError(`the kernel gave no outcome for ${operation.op}`)
    if (!outcome.ok) throw outcome.error
  }

  const addresses: Table<Address, AddressKey> = {
    add: (address) => change({ op: 'address.add', address }),
    replace: (address) => change({ op: 'address.replace', address }),
    delete: (address) => change({ op: 'address.delete', address }),
    list: () => driver.addresses(),
  }
  const routes: Routes = {
    add: (route: Route) => change({ op: 'route.add', route }),
    replace: (route: Route) => change({ op: 'route.replace', route }),
    delete: (route: RouteKey) => change({ op: 'route.delete', route }),
    list: () => driver.routes(),
    lookup: (query) => driver.lookup(query),
  }
  const rules: Rules = {
    add: (rule) => change({ op: 'rule.add', rule }),
    delete: (rule) => change({ op: 'rule.delete', rule }),
    list: () => driver.rules(),
  }
  const neighbors: Table<Neighbor, NeighborKey> = {
    add: (neighbor) => change({ op: 'neighbor.add', neighbor }),
    replace: (neighbor) => change({ op: 'neighbor.replace', neighbor }),
    delete: (neighbor) => change({ op: 'neighbor.delete', neighbor }),
    list: () => driver.neighbors(),
  }
  const fdb: Fdb = {
    add: (entry: FdbEntry) => change({ op: 'fdb.add', entry }),
    replace: (entry: FdbEntry) => change({ op: 'fdb.replace', entry }),
    append: (entry) => change({ op: 'fdb.append', entry }),
    delete: (entry: FdbKey) => change({ op: 'fdb.delete', entry }),
    list: () => driver.fdb(),
  }
  const sysctl: Sysctl = {
    get: (name) => driver.sysctl(name),
    set: (name, value) => change({ op: 'sysctl.set', name, value }),
    ensure: (name, value) => change({ op: 'sysctl.set', name, value, ifDiffers: true }),
  }
  const nft: Nft = {
    apply: (commands) => change({ op: 'nft.apply', commands }),
    list: () => driver.nft(),
  }
  return {
    apply: (operations) => driver.apply(operations),
    links: {
      add: (link) => change({ op: 'link.add', link }),
      set: (name, linkChange) => change({ op: 'link.set', name, change: linkChange }),
      delete: (name) => change({ op: 'link.delete', name }),
      get: (name) => driver.link(name),
      list: () => driver.links(),
    },
    addresses,
    routes,
    rules,
    neighbors,
    fdb,
    sysctl,
    nft,
  }
}
