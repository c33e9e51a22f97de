import { testIpam } from '@podfabric/conformance/testing'
import { testPlugin } from '@podfabric/conformance/vitest'
import bridge from './index.ts'

const config = (subnet: string) => ({
  cniVersion: '1.1.0',
  name: 'example',
  type: 'bridge',
  isDefaultGateway: true,
  ipMasq: true,
  ipam: { type: 'test-ipam', subnets: [subnet] },
})

testPlugin({
  kind: 'factory',
  name: 'bridge',
  factory: bridge,
  plugins: { 'test-ipam': testIpam },
  config: config('10.88.0.0/24'),
  small: { config: config('10.88.0.0/29'), addresses: 5 },
})
