import { type Kernel, type Middleware, type Namespace, withMiddleware } from '@podfabric/kernel'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { linuxLab } from '@podfabric/kernel-linux/testing'
import { simulate } from '@podfabric/kernel-sim'

/** A node alone, with `lo` up and nothing else. */
export interface TestNode {
  readonly kernel: Kernel
  close(): Promise<void>
}

async function simulatedNode(): Promise<TestNode> {
  return { kernel: simulate().node('node-1'), close: async () => undefined }
}

/** A namespace of this machine; nothing outside of it is touched. */
async function linuxNode(): Promise<TestNode> {
  const lab = await linuxLab()
  const [kernel] = await lab.nodes(1)
  if (kernel === undefined) throw new Error('the lab gave no node')
  // The card is still settling when it comes, and a node is compared before and after.
  await inNamespace(kernel, '', ({ links }) => links.delete('eth0'))
  return { kernel, close: () => lab.close() }
}

const available = linuxAvailable()

/** The kernels to test on, and why not, where one cannot be had here. */
export const kernels: readonly {
  readonly name: string
  readonly skip: boolean
  make(): Promise<TestNode>
}[] = [
  { name: 'the simulated kernel', skip: false, make: simulatedNode },
  {
    name: available.available ? 'Linux' : `Linux (skipped: ${available.reason})`,
    skip: !available.available,
    make: linuxNode,
  },
]

/** Everything in a namespace that a network could leave behind, as text. */
export async function snapshot(kernel: Kernel): Promise<readonly string[]> {
  const node = kernel.in(kernel.netns.host)
  try {
    const rows: readonly (readonly unknown[])[] = [
      (await node.links.list()).map(({ index, ...link }) => link),
      await node.addresses.list(),
      await node.routes.list(),
      await node.rules.list(),
      await node.neighbors.list(),
      await node.nft.list(),
    ]
    // The kernel's own doing on links that stay up: link-local addresses when they are ready, multicast neighbors, and the anycast
    // addresses of a node that forwards (forwarding stays on).
    const passing = /"(?:fe80|ff00|ff02)::|"noarp"|"anycast"/
    return rows
      .flat()
      .map((row) => JSON.stringify(row))
      .filter((row) => !passing.test(row))
  } finally {
    await node[Symbol.asyncDispose]()
  }
}

/** The kernel as it is for a plugin that is killed before its `n`-th operation: that one never returns. */
export function killedAt(kernel: Kernel, n: number, killed: () => void): Kernel {
  let seen = 0
  const kill: Middleware = (_, next) => {
    seen++
    if (seen < n) return next()
    killed()
    return new Promise(() => {})
  }
  return withMiddleware(kernel, kill)
}

export async function inNamespace<T>(
  kernel: Kernel,
  path: string,
  work: (namespace: Namespace) => Promise<T>,
): Promise<T> {
  const netns = path === '' ? kernel.netns.host : await kernel.netns.open(path)
  const namespace = kernel.in(netns)
  try {
    return await work(namespace)
  } finally {
    await namespace[Symbol.asyncDispose]()
    await netns[Symbol.asyncDispose]()
  }
}
