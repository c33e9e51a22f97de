import { type Kernel, KernelError } from '@podfabric/kernel'
import type { ownedIn } from './host-tables.ts'

export interface RemoveOptions {
  readonly dryRun: boolean
  readonly removed: (what: string) => void
  readonly failed: (error: unknown) => void
}

/** Takes away from the node's namespace what carries our mark; what another thing took with it is gone already. */
export async function removeOwned(
  kernel: Kernel,
  { links, tables, routes, rules }: ReturnType<typeof ownedIn>,
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
    for (const rule of rules) {
      await remove(`rule of priority ${rule.priority}`, () => host.rules.delete(rule))
    }
    for (const route of routes) {
      const by = route.link === undefined ? '' : ` dev ${route.link}`
      await remove(`route to ${route.destination}${by}`, () => host.routes.delete(route))
    }
    for (const table of tables) {
      await remove(`nftables table ${table.family} ${table.name}`, () =>
        host.nft.apply([{ verb: 'delete', object: table }]),
      )
    }
    for (const { name } of links) await remove(`link ${name}`, () => host.links.delete(name))
  } finally {
    await host[Symbol.asyncDispose]()
  }
}

const gone = new Set(['ENODEV', 'ENOENT', 'ESRCH'])
