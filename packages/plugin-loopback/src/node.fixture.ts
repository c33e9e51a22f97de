import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Kernel, Namespace } from '@podfabric/kernel'
import { linux, linuxAvailable } from '@podfabric/kernel-linux'

/** A node alone, with `lo` up and nothing else. */
export interface TestNode {
  readonly kernel: Kernel
  close(): Promise<void>
}

/** A node of Linux: a namespace of this machine; nothing outside of it is touched. */
async function linuxNode(): Promise<TestNode> {
  const directory = mkdtempSync(join(tmpdir(), 'plugin-test-'))
  const machine = linux({ directory: join(directory, 'nodes') })
  const netns = await machine.netns.create('node')
  const kernel = linux({ host: netns.path, directory: join(directory, 'pods') })
  await within(kernel, '', ({ links }) => links.set('lo', { up: true }))
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

/** Works in the namespace at a path; `''` is the node's own. */
export async function within<T>(
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

/** A container's namespace; its path. */
export async function pod(kernel: Kernel, name: string): Promise<string> {
  const netns = await kernel.netns.create(name)
  await netns[Symbol.asyncDispose]()
  return netns.path
}
