import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Kernel, type Middleware, type Namespace, withMiddleware } from '@podfabric/kernel'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'

/** A node alone, with `lo` up and nothing else. */
export interface TestNode {
  readonly kernel: Kernel
  close(): Promise<void>
}

/** A node of Linux: a namespace of this machine; nothing outside of it is touched. */
export async function linuxNode(): Promise<TestNode> {
  const directory = mkdtempSync(join(tmpdir(), 'bridge-test-'))
  const machine = linux({ directory: join(directory, 'nodes') })
  const netns = await machine.netns.create('node')
  const kernel = linux({ host: netns.path, directory: join(directory, 'pods') })
  const node = kernel.in(kernel.netns.host)
  await node.links.set('lo', { up: true })
  await node[Symbol.asyncDispose]()
  return {
    kernel,
    async close() {
      for (const { name } of await kernel.netns.list()) await kernel.netns.delete(name)
      await kernel[Symbol.asyncDispose]()
      await netns[Symbol.asyncDispose]()
      await machine.netns.delete('node')
      await machine[Symbol.asyncDispose]()
      rmSync(directory, { recursive: true })
    },
  }
}

const available = linuxAvailable()

/** The kernels to test on, and why not, where one cannot be had here. */
export const kernels: readonly {
  readonly name: string
  readonly skip: boolean
  make(): Promise<TestNode>
}[] = [
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
    return rows.flat().map((row) => JSON.stringify(row))
  } finally {
    await node[Symbol.asyncDispose]()
  }
}

/** Without what links that stay up get by themselves, when they please: link-local addresses, their routes, multicast neighbors. */
export function settled(rows: readonly string[]): readonly string[] {
  return rows.filter((row) => !/"(?:fe80|ff00|ff02)::|"noarp"/.test(row))
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
