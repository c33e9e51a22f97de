import type { Kernel } from './kernel.ts'
import type { Namespace } from './namespace.ts'
import type { Middleware, Operation, Outcome } from './operation.ts'
import { tablesOver } from './tables.ts'

/**
 * The same kernel with `middleware` around every operation, whichever verb it came by. The first one is
 * the outermost. Operations of a batch go through one after the other, in order, so a batch costs as much
 * as its operations alone; those that no middleware is about (`onlyFor`) stay together. Reading, sockets, captures and
 * changes pass unchanged.
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

/** A middleware for some kinds of operation alone: others pass it by, in one batch as they came. */
export function onlyFor(ops: readonly Operation['op'][], step: Middleware): Middleware {
  return Object.assign<Middleware, Pick<Middleware, 'ops'>>((...given) => step(...given), { ops })
}

function isAbout({ ops }: Middleware, { op }: Operation): boolean {
  return ops === undefined || ops.includes(op)
}

function namespaceWith(inner: Namespace, path: string, middleware: readonly Middleware[]): Namespace {
  const site = { netns: path }
  const applyOne = (operation: Operation, from: number): Promise<Outcome> => {
    const step = middleware[from]
    if (step === undefined) return outcomeOf(inner, operation)
    if (!isAbout(step, operation)) return applyOne(operation, from + 1)
    return step(operation, () => applyOne(operation, from + 1), site)
  }
  const tables = tablesOver({
    async apply(operations) {
      const isPlain = (operation: Operation) => !middleware.some((step) => isAbout(step, operation))
      if (operations.every(isPlain)) return inner.apply(operations)
      const outcomes: Outcome[] = []
      for (let at = 0; at < operations.length; ) {
        let end = at
        while (end < operations.length && isPlain(operations[end] as Operation)) end++
        if (end > at) outcomes.push(...(await inner.apply(operations.slice(at, end))))
        else outcomes.push(await applyOne(operations[end++] as Operation, 0))
        at = end
      }
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
