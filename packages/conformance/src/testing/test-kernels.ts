import type { Kernel, Namespace } from '@podfabric/kernel'
import { linuxAvailable } from '@podfabric/kernel-linux'
import { linuxLab } from '@podfabric/kernel-linux/testing'
import { simulate } from '@podfabric/kernel-sim'

/** A node alone, with `lo` up and nothing else. */
export interface TestNode {
  readonly kernel: Kernel
  close(): Promise<void>
}

/** A kernel to run a plugin's tests on. */
export interface TestKernel {
  /** For titles of tests; says why where it is skipped. */
  readonly name: string
  /** Whether it cannot be had here: Linux without the right to make namespaces, or no Linux at all. */
  readonly skip: boolean
  make(): Promise<TestNode>
}

const available = linuxAvailable()

/** Both kernels: `describe.skipIf(skip)` for each of them runs the same tests on each. */
export const testKernels: readonly TestKernel[] = [
  { name: 'the simulated kernel', skip: false, make: simulatedNode },
  {
    name: available.available ? 'Linux' : `Linux (skipped: ${available.reason})`,
    skip: !available.available,
    make: linuxNode,
  },
]

async function simulatedNode(): Promise<TestNode> {
  return { kernel: simulate().node('node-1'), close: async () => undefined }
}

/** A namespace of this machine; nothing outside of it is touched. */
async function linuxNode(): Promise<TestNode> {
  const lab = await linuxLab()
  const [kernel] = await lab.nodes(1)
  if (kernel === undefined) throw new Error('the lab gave no node')
  // The card is still settling when it comes, and a node is compared before and after.
  await within(kernel, '', ({ links }) => links.delete('eth0'))
  return { kernel, close: () => lab.close() }
}

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

/** Makes a container's namespace; its path. */
export async function sandbox(kernel: Kernel, name: string): Promise<string> {
  const netns = await kernel.netns.create(name)
  await netns[Symbol.asyncDispose]()
  return netns.path
}
