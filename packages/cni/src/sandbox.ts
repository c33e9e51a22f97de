import type { Kernel, Netns } from '@podfabric/kernel'
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
