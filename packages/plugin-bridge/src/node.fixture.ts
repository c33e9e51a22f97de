import type { Kernel } from '@podfabric/kernel'

/** Everything in a namespace that a network could leave behind, as text. */
export async function snapshot(kernel: Kernel): Promise<readonly string[]> {
  const node = kernel.in(kernel.netns.host)
  try {
    const rows: readonly (readonly unknown[])[] = [
      // Whether a link has a carrier is the kernel's to say, and it says it a while later.
      (await node.links.list()).map(({ index, running, ...link }) => link),
      await node.addresses.list(),
      await node.routes.list(),
      await node.rules.list(),
      // What the kernel learnt is its own, and ages.
      (await node.neighbors.list()).filter(({ state, proxy }) => state === 'permanent' || proxy === true),
      await node.nft.list(),
    ]
    // The kernel's own doing on links that stay up: link-local addresses when they are ready, and the anycast addresses of a node
    // that forwards (forwarding stays on).
    const passing = /"(?:fe80|ff00|ff02)::|"anycast"/
    return rows
      .flat()
      .map((row) => JSON.stringify(row))
      .filter((row) => !passing.test(row))
  } finally {
    await node[Symbol.asyncDispose]()
  }
}
