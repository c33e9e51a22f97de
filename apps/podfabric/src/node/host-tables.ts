import {
  type Address,
  isOwnedAlias,
  type Kernel,
  KernelError,
  type Link,
  type Namespace,
  type NftChain,
  type NftRule,
  type NftTable,
  ownership,
  type Route,
  type Rule,
} from '@podfabric/kernel'

/** What the node's own network namespace holds, read once. */
export interface HostTables {
  readonly links: readonly Link[]
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
  readonly rules: readonly Rule[]
  /** Undefined where the kernel has no nftables. */
  readonly nft: NftTables | undefined
}

export interface NftTables {
  readonly tables: readonly NftTable[]
  readonly chains: readonly NftChain[]
  readonly rules: readonly NftRule[]
}

export async function hostTables(kernel: Kernel): Promise<HostTables> {
  const host = kernel.in(kernel.netns.host)
  try {
    return {
      links: await host.links.list(),
      addresses: await host.addresses.list(),
      routes: await host.routes.list(),
      rules: await host.rules.list(),
      nft: await nftTables(host),
    }
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

async function nftTables({ nft }: Namespace): Promise<NftTables | undefined> {
  try {
    const objects = await nft.list()
    return {
      tables: objects.filter((each) => each.kind === 'table'),
      chains: objects.filter((each) => each.kind === 'chain'),
      rules: objects.filter((each) => each.kind === 'rule'),
    }
  } catch (error) {
    if (error instanceof KernelError && error.code === 'EOPNOTSUPP') return undefined
    throw error
  }
}

/** What in the node's namespace carries our mark: nothing else is ours to take away. */
export function ownedIn({ links, routes, rules, nft }: HostTables) {
  return {
    links: links.filter(({ alias }) => isOwnedAlias(alias)),
    routes: routes.filter(({ protocol }) => protocol === ownership.routeProtocol),
    rules: rules.filter(({ protocol }) => protocol === ownership.routeProtocol),
    tables: nft === undefined ? [] : nft.tables.filter((table) => isOurs(table, nft)),
  }
}

/** A table with a name of ours, whose rules all carry our mark: somebody else's rule makes it theirs too. */
function isOurs({ family, name }: NftTable, { rules }: NftTables): boolean {
  if (!name.startsWith(`${ownership.mark}-`)) return false
  const inside = rules.filter((rule) => rule.family === family && rule.table === name)
  return inside.length > 0 && inside.every(({ comment }) => isOwnedAlias(comment))
}
