import { codeOf, type Namespace } from '@podfabric/cni'

/**
 * No duplicate address detection of the link, for its link-local address either: the link is usable at once. Nothing is forwarded to
 * a neighbor before the link-local address is settled, for the kernel asks for the neighbor from it.
 */
export async function quietIpv6(namespace: Namespace, link: string): Promise<void> {
  try {
    await namespace.sysctl.set(`net.ipv6.conf.${link.replaceAll('.', '/')}.accept_dad`, '0')
  } catch (error) {
    // A kernel without the setting does no detection that it could turn off.
    if (codeOf(error) !== 'ENOENT') throw error
  }
}
