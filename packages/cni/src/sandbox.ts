import type { Kernel, Namespace, Netns } from '@podfabric/kernel'
import { CniError } from './error.ts'
import { codeOf } from './to-cni-error.ts'

/**
 * Opens the namespace that CNI_NETNS names; dispose the reference when done. Throws CNI_INVALID_ENVIRONMENT when there is
 * none, or when it is the node's own, in which a plugin must never work as if it were a container's.
 */
export async function openSandbox(kernel: Kernel, path: string): Promise<Netns> {
  let netns: Netns
  try {
    netns = await kernel.netns.open(path)
  } catch (cause) {
    throw new CniError(
      'CNI_INVALID_ENVIRONMENT',
      `CNI_NETNS ${path}: no network namespace can be opened there`,
      {
        cause,
        details: cause instanceof Error ? cause.message : undefined,
      },
    )
  }
  if (netns.id !== kernel.netns.host.id) return netns
  await netns[Symbol.asyncDispose]()
  throw new CniError('CNI_INVALID_ENVIRONMENT', `CNI_NETNS ${path}: that is the node's own network namespace`)
}

/** As `openSandbox`, but undefined where there is nothing (ENOENT), or what is there is no namespace any more (EINVAL). */
export async function findSandbox(kernel: Kernel, path: string | undefined): Promise<Netns | undefined> {
  if (path === undefined) return undefined
  let netns: Netns
  try {
    netns = await kernel.netns.open(path)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT' || code === 'EINVAL') return undefined
    throw error
  }
  if (netns.id !== kernel.netns.host.id) return netns
  await netns[Symbol.asyncDispose]()
  return undefined
}

/** Works in the namespace that CNI_NETNS names, and lets go of it. Throws as `openSandbox`. */
export async function inSandbox<T>(
  kernel: Kernel,
  path: string,
  work: (sandbox: Namespace, netns: Netns) => Promise<T>,
): Promise<T> {
  return within(kernel, await openSandbox(kernel, path), work)
}

/** As `inSandbox`; without the namespace nothing is done, and the answer is undefined. */
export async function inSandboxIfAny<T>(
  kernel: Kernel,
  path: string | undefined,
  work: (sandbox: Namespace, netns: Netns) => Promise<T>,
): Promise<T | undefined> {
  const netns = await findSandbox(kernel, path)
  return netns && within(kernel, netns, work)
}

/** Whether there is a namespace with an interface of this name. */
export async function hasInterface(kernel: Kernel, path: string | undefined, name: string): Promise<boolean> {
  const found = await inSandboxIfAny(kernel, path, async ({ links }) => {
    try {
      await links.get(name)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENODEV') return false
      throw error
    }
  })
  return found ?? false
}

/** Works in the node's own namespace. */
export async function onNode<T>(kernel: Kernel, work: (node: Namespace) => Promise<T>): Promise<T> {
  return within(kernel, kernel.netns.host, work)
}

async function within<T>(
  kernel: Kernel,
  netns: Netns,
  work: (namespace: Namespace, netns: Netns) => Promise<T>,
): Promise<T> {
  const namespace = kernel.in(netns)
  try {
    return await work(namespace, netns)
  } finally {
    await namespace[Symbol.asyncDispose]()
    await netns[Symbol.asyncDispose]()
  }
}
