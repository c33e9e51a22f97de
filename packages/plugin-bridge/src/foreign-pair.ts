import {
  type AddResult,
  CniError,
  codeOf,
  inSandboxIfAny,
  type Kernel,
  type Namespace,
  onNode,
  type Resource,
} from '@podfabric/cni'
import { type Link, ownedAlias } from '@podfabric/kernel'

/**
 * The veth pair of an attachment that another implementation made, found by what a call says: the container's namespace and its
 * interface. It counts as this network's when its other end is a port of the network's bridge, or is listed in `prevResult`, and
 * does not bear our mark.
 */
export function foreignPair(
  kernel: Kernel,
  { ifName, netns }: { readonly ifName: string; readonly netns?: string },
  bridge: string,
  prevResult: AddResult | undefined,
): Resource {
  const otherEnd = async (sandbox: Namespace): Promise<Link | undefined> => {
    const inside = await linkIn(sandbox, ifName)
    if (inside?.kind !== 'veth') return undefined
    const links = await onNode(kernel, (node) => node.links.list())
    const outside = links.find(({ kind, index }) => kind === 'veth' && index === inside.peerIndex)
    if (outside?.kind !== 'veth' || outside.peerIndex !== inside.index) return undefined
    if (outside.alias?.startsWith(ownedAlias(''))) return undefined
    const isListed = prevResult?.interfaces.some(
      ({ name, sandbox: where }) => where === undefined && name === outside.name,
    )
    return outside.port?.bridge === bridge || isListed ? outside : undefined
  }
  return {
    name: `${ifName} of another implementation`,
    ensure: () => Promise.reject(new TypeError('what another implementation made is never made here')),
    async verify() {
      const found = await inSandboxIfAny(kernel, netns, async (sandbox) => {
        const outside = await otherEnd(sandbox)
        return outside && { outside, inside: await linkIn(sandbox, ifName) }
      })
      if (found === undefined) {
        throw new CniError(
          'CNI_CHECK_FAILED',
          `${ifName} is not attached to ${bridge}, and there is no record of it`,
        )
      }
      const { outside, inside } = found
      if (outside.port?.bridge !== bridge) {
        throw new CniError('CNI_CHECK_FAILED', `${outside.name} is not a port of ${bridge}`)
      }
      if (!outside.up) throw new CniError('CNI_CHECK_FAILED', `${outside.name} is down`)
      if (!inside?.up) throw new CniError('CNI_CHECK_FAILED', `${ifName} is down`)
    },
    async remove() {
      await inSandboxIfAny(kernel, netns, async (sandbox) => {
        // The other end goes with it.
        if (await otherEnd(sandbox)) await sandbox.links.delete(ifName)
      })
    },
  }
}

/** The link of a name, if there is one. */
export async function linkIn(namespace: Namespace, name: string): Promise<Link | undefined> {
  try {
    return await namespace.links.get(name)
  } catch (error) {
    if (codeOf(error) === 'ENODEV') return undefined
    throw error
  }
}
