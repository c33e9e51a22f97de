import {
  type AddResult,
  CniError,
  cniVersions,
  inSandbox,
  inSandboxIfAny,
  type Namespace,
  type Plugin,
  type PluginContext,
} from '@podfabric/cni'
import { ZERO_MAC } from '@podfabric/netaddr'

const name = 'lo'

/**
 * Brings `lo` up in the container's namespace, so that its containers reach each other on localhost. A namespace has one
 * loopback interface, so CNI_IFNAME, by custom `lo`, does not matter. Keeps no state.
 */
export function loopback({ kernel }: PluginContext): Plugin<undefined> {
  return {
    type: 'loopback',
    versions: cniVersions,
    example: { cniVersion: '1.0.0', name: 'loopback', type: 'loopback' },
    parse: () => undefined,

    add: ({ netns, prevResult }) =>
      inSandbox(kernel, netns, async (sandbox) => {
        await sandbox.links.set(name, { up: true })
        // In a chain, the result is about the interface that those before made.
        return prevResult ?? describe(sandbox, netns)
      }),

    check: ({ netns }) =>
      inSandbox(kernel, netns, async (sandbox) => {
        const { up } = await sandbox.links.get(name)
        if (!up) throw new CniError('CNI_CHECK_FAILED', `${name} is down in ${netns}`)
      }),

    async del({ netns }) {
      await inSandboxIfAny(kernel, netns, (sandbox) => sandbox.links.set(name, { up: false }))
    },
  }
}

export default loopback

async function describe(sandbox: Namespace, netns: string): Promise<AddResult> {
  const rows = await sandbox.addresses.list()
  return {
    interfaces: [{ name, mac: ZERO_MAC, sandbox: netns }],
    ips: rows.filter(({ link }) => link === name).map(({ address }) => ({ address, interface: 0 })),
    routes: [],
  }
}
