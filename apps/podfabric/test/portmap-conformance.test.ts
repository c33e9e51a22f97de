import type { PluginFactory } from '@podfabric/cni'
import { cases } from '@podfabric/conformance'
import { linuxWorld } from '@podfabric/conformance/node'
import { testKernels } from '@podfabric/conformance/testing'
import { testPlugin } from '@podfabric/conformance/vitest'
import { addressOf } from '@podfabric/netaddr'
import bridge from '@podfabric/plugin-bridge'
import hostLocal from '@podfabric/plugin-host-local'
import portmap from '@podfabric/plugin-portmap'
import { describe } from 'vitest'

/** As a runtime whose every container has two ports of its own on the node: which, follows from its address. */
const portsForAll: PluginFactory = (context) => {
  const plugin = portmap(context)
  const add: typeof plugin.add = (request) => {
    const [given] = request.prevResult?.ips ?? []
    const last = given === undefined ? 0 : Number(addressOf(given.address).split('.').at(-1))
    const wishes = [
      { protocol: 'tcp', hostPort: 20_000 + last, containerPort: 80 },
      { protocol: 'udp', hostPort: 20_000 + last, containerPort: 53 },
    ] as const
    return plugin.add({ ...request, config: () => ({ ...request.config(), wishes }) })
  }
  return { ...plugin, add } as ReturnType<PluginFactory>
}

const config = (subnet: string) => ({
  cniVersion: '1.1.0',
  name: 'example',
  plugins: [
    {
      type: 'bridge',
      isDefaultGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', ranges: [[{ subnet }], [{ subnet: 'fd88::/64' }]] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
})

/** What the plugins before a failing one have made is for the runtime's DEL; that portmap itself leaves nothing, its own tests show. */
const suite = cases.filter(({ id }) => id !== 'faults.add-leaves-nothing')

for (const { name, skip } of testKernels) {
  describe.skipIf(skip)(`on ${name}`, () => {
    testPlugin(
      {
        kind: 'factory',
        name: 'bridge with portmap behind it',
        factory: bridge,
        plugins: { 'host-local': hostLocal, portmap: portsForAll },
        config: config('10.88.0.0/24'),
        // Of eight addresses the first, the last and the gateway's are not given.
        small: { config: config('10.88.0.0/29'), addresses: 5 },
      },
      { suite, ...(name.startsWith('Linux') && { world: linuxWorld }) },
    )
  })
}
