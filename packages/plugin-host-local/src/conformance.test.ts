import { testPlugin } from '@podfabric/conformance/vitest'
import hostLocal from './index.ts'

const config = (subnet: string) => ({
  cniVersion: '1.1.0',
  name: 'example',
  type: 'host-local',
  ipam: { type: 'host-local', subnet },
})

testPlugin({
  kind: 'factory',
  name: 'host-local',
  factory: hostLocal,
  config: config('10.88.0.0/16'),
  small: { config: config('10.88.0.0/29'), addresses: 5 },
})
