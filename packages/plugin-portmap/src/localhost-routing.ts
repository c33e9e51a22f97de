import { CniError, type Kernel, onNode, type Resource } from '@podfabric/cni'
import type { Published } from './port-mapping.ts'

/**
 * Lets packets of the node's localhost out by the link that leads to the container. It stays: other containers are behind the
 * same link, and it goes with the link.
 */
export function localhostRouting(kernel: Kernel, { links, masquerade }: Published): Resource {
  // Names of links may hold dots, which part the names of settings.
  const setting =
    links.ip === undefined || masquerade === 'none'
      ? undefined
      : `net.ipv4.conf.${links.ip.replaceAll('.', '/')}.route_localnet`
  return {
    name: 'routing of localhost',
    ensure: () =>
      onNode(kernel, async ({ sysctl }) => {
        if (setting !== undefined) await sysctl.ensure(setting, '1')
      }),
    verify: () =>
      onNode(kernel, async ({ sysctl }) => {
        if (setting !== undefined && (await sysctl.get(setting)) !== '1') {
          throw new CniError('CNI_CHECK_FAILED', `${setting} is not 1`)
        }
      }),
    remove: async () => undefined,
  }
}
