import type { Kernel, Namespace } from '@podfabric/kernel'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { linuxLab } from '@podfabric/kernel-linux/testing'
import { simulate } from '@podfabric/kernel-sim'

/** A node alone, with `lo` up and perhaps a card. */
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
