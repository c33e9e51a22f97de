import { linuxWorld } from '@podfabric/conformance/node'
import { testKernels } from '@podfabric/conformance/testing'
import { testPlugin } from '@podfabric/conformance/vitest'
import flannel from '@podfabric/plugin-flannel'
import { describe } from 'vitest'
import { shippedPlugins } from '../src/plugins.ts'

const { bridge, 'host-local': hostLocal } = shippedPlugins
const config = (keys: object) => ({ cniVersion: '1.1.0', name: 'pods', type: 'flannel', ...keys })

for (const { name, skip } of testKernels) {
  const isLinux = name.startsWith('Linux')
  describe.skipIf(skip)(`on ${name}`, () => {
    testPlugin(
      {
        kind: 'factory',
        name: 'flannel',
        factory: flannel,
        plugins: { ...(bridge && { bridge }), ...(hostLocal && { 'host-local': hostLocal }) },
        config: config({ network: '10.244.0.0/16' }),
        // Of eight addresses the first, the last and the gateway's are not given.
        small: { config: config({ network: '10.244.0.0/16', subnetLength: 29 }), addresses: 5 },
      },
      isLinux ? { world: linuxWorld } : {},
    )
  })
}
