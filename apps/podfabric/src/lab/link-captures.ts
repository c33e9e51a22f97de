import type { Kernel, Link, Namespace } from '@podfabric/kernel'
import { addressOf } from '@podfabric/netaddr'
import type { Hop } from '@podfabric/trace'
import { type SeenFrame, seenPackets } from './seen-packets.ts'

/** Milliseconds that frames of several links are held back to bring them in order, and that the last ones are waited for. */
const settling = 60

/**
 * Captures on every link of every namespace of the nodes, but `lo`, as they are when it is called, and tells the hops that follow from
 * the frames. Disposing waits for what is under way, then ends the captures.
 */
export async function linkCaptures(
  nodes: ReadonlyMap<string, Kernel>,
  listener: (hop: Hop) => void,
): Promise<AsyncDisposable> {
  const local = new Set<string>()
  const open: { close(): Promise<void> }[] = []
  let waiting: (SeenFrame & { readonly rank: number })[] = []
  const packets = seenPackets((node, netns, address) => local.has(`${node}/${netns}/${address}`), listener)
  let failure: unknown

  function flush(until: number) {
    waiting.sort((a, b) => a.at - b.at || a.rank - b.rank)
    const ready = waiting.filter(({ at }) => at <= until)
    waiting = waiting.slice(ready.length)
    for (const frame of ready) packets.add(frame)
  }

  async function watch(node: string, netns: string, namespace: Namespace) {
    for (const { address } of await namespace.addresses.list()) {
      local.add(`${node}/${netns}/${addressOf(address)}`)
    }
    for (const { name: link, kind } of await namespace.links.list()) {
      if (kind === 'loopback') continue
      const capture = await namespace.capture(link)
      const read = async () => {
        for await (const { bytes, at, direction } of capture)
          waiting.push({
            node,
            netns,
            link,
            direction,
            at,
            bytes,
            rank: direction === 'in' ? rankOf(kind) : 0,
          })
      }
      const done = read().catch((error: unknown) => {
        failure ??= error
      })
      open.push({
        async close() {
          await capture.close()
          await done
        },
      })
    }
  }

  async function closeAll() {
    const outcomes = await Promise.allSettled(open.map((one) => one.close()))
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []))
    if (errors.length > 0) throw new AggregateError(errors, 'captures did not end')
  }

  try {
    for (const [node, kernel] of nodes) {
      const host = kernel.in(kernel.netns.host)
      try {
        await watch(node, '', host)
      } finally {
        await host[Symbol.asyncDispose]()
      }
      for (const { name, path } of await kernel.netns.list()) {
        const netns = await kernel.netns.open(path)
        const namespace = kernel.in(netns)
        try {
          await watch(node, name, namespace)
        } finally {
          await namespace[Symbol.asyncDispose]()
          await netns[Symbol.asyncDispose]()
        }
      }
    }
  } catch (error) {
    await closeAll()
    throw error
  }
  const timer = setInterval(() => flush(Date.now() - settling), settling / 3)
  return {
    async [Symbol.asyncDispose]() {
      await new Promise((resolve) => setTimeout(resolve, settling))
      clearInterval(timer)
      await closeAll()
      flush(Number.POSITIVE_INFINITY)
      packets.end()
      if (failure !== undefined) throw failure
    },
  }
}

/** A frame keeps the time at which it came in: of several with one time, it passed the card first, then the tunnel, then the bridge. */
function rankOf(kind: Link['kind']): number {
  if (kind === 'bridge') return 2
  return kind === 'vxlan' ? 1 : 0
}
