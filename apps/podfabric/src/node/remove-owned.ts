import { type Kernel, KernelError, type Link, type NftTable, type Route, type Rule } from '@podfabric/kernel'
import type { ownedIn } from './host-tables.ts'

type Owned = ReturnType<typeof ownedIn>

export interface RemoveOptions {
  readonly dryRun: boolean
  readonly removed: (what: string) => void
  readonly failed: (error: unknown) => void
}

/** Takes away from the node's namespace what carries our mark; what another thing took with it is gone already. */
export async function removeOwned(
  kernel: Kernel,
  { links, tables, routes, rules }: Owned,
  { dryRun, removed, failed }: RemoveOptions,
): Promise<void> {
  const host = kernel.in(kernel.netns.host)
  const remove = async (what: string, work: () => Promise<void>) => {
    try {
      if (!dryRun) await work()
      removed(what)
    } catch (error) {
      if (!(error instanceof KernelError) || !gone.has(error.code)) failed(error)
    }
  }
  try {
    for (const rule of rules) await remove(ruleName(rule), () => host.rules.delete(rule))
    for (const route of routes) await remove(routeName(route), () => host.routes.delete(route))
    for (const object of tables) {
      await remove(tableName(object), () => host.nft.apply([{ verb: 'delete', object }]))
    }
    for (const link of links) await remove(linkName(link), () => host.links.delete(link.name))
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

/** Each by the words in which it is reported. */
export function ownedNames({ links, tables, routes, rules }: Owned): readonly string[] {
  return [...rules.map(ruleName), ...routes.map(routeName), ...tables.map(tableName), ...links.map(linkName)]
}

const ruleName = ({ priority }: Rule) => `rule of priority ${priority}`
const routeName = ({ destination, link }: Route) =>
  link === undefined ? `route to ${destination}` : `route to ${destination} dev ${link}`
const tableName = ({ family, name }: NftTable) => `nftables table ${family} ${name}`
const linkName = ({ name }: Link) => `link ${name}`

const gone = new Set(['ENODEV', 'ENOENT', 'ESRCH'])
