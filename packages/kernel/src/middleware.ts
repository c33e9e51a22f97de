import type { Kernel } from './kernel.ts'
import type { Namespace } from './namespace.ts'
import type { Middleware, Operation, Outcome } from './operation.ts'
import { tablesOver } from './tables.ts'

/**
 * The same kernel with `middleware` around every operation, whichever verb it came by. The first one is
 * the outermost. Operations of a batch go through one after the other, in order, so a batch costs as much
 * as its operations alone. Reading, sockets, captures and changes pass unchanged.
 *
 * A middleware that rejects is a mistake in it: `apply` rejects with its reason, and what comes after it in
 * the batch is not applied.
 */
export function withMiddleware(kernel: Kernel, ...middleware: readonly Middleware[]): Kernel {
  if (middleware.length === 0) return kernel
  return {
    netns: kernel.netns,
    in: (netns) => namespaceWith(kernel.in(netns), netns.path, middleware),
  }
}

function namespaceWith(inner: Namespace, path: string, middleware: readonly Middleware[]): Namespace {
  const site = { netns: path }
  const applyOne = (operation: Operation, from: number): Promise<Outcome> => {
    const step = middleware[from]
    if (step === undefined) return outcomeOf(inner, operation)
    return step(operation, () => applyOne(operation, from + 1), site)
  }
  const tables = tablesOver({
    async apply(operations) {
      const outcomes: Outcome[] = []
      for (const operation of operations) outcomes.push(await applyOne(operation, 0))
      return outcomes
    },
    link: (name) => inner.links.get(name),
    links: () => inner.links.list(),
    addresses: () => inner.addresses.list(),
    routes: () => inner.routes.list(),
    rules: () => inner.rules.list(),
    neighbors: () => inner.neighbors.list(),
    fdb: () => inner.fdb.list(),
    lookup: (query) => inner.routes.lookup(query),
    sysctl: (name) => inner.sysctl.get(name),
    nft: () => inner.nft.list(),
  })
  return {
    ...tables,
    conntrack: inner.conntrack,
    sockets: inner.sockets,
    capture: (link) => inner.capture(link),
    changes: (options) => inner.changes(options),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}

async function outcomeOf(namespace: Namespace, operation: Operation): Promise<Outcome> {
  const [outcome] = await namespace.apply([operation])
  if (outcome === undefined) throw new TypeError(`the kernel gave no outcome for ${operation.op}`)
  return outcome
}
