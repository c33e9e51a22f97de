import { testIpam } from '@podfabric/conformance/testing'
import { testPlugin } from '@podfabric/conformance/vitest'
import sample from './sample.ts'

const config = (subnet: string) => ({
  cniVersion: '1.1.0',
  name: 'example',
  type: 'sample',
  ipam: { type: 'test-ipam', subnets: [subnet] },
})

testPlugin({
  kind: 'factory',
  name: 'sample',
  factory: sample,
  plugins: { 'test-ipam': testIpam },
  config: config('10.99.0.0/24'),
  small: { config: config('10.99.0.0/29'), addresses: 5 },
})
