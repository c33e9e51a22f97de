import { linuxAvailable } from '@podfabric/kernel-linux'
import { describe } from 'vitest'
import { linuxWorld } from '../src/node/index.ts'
import { type Subject, testPlugin } from '../src/vitest/index.ts'
import { referenceConfig, referencePlugin, smallReferenceConfig } from './fixtures/reference-plugin.ts'

const subject: Subject = {
  kind: 'factory',
  factory: referencePlugin,
  config: referenceConfig,
  small: { config: smallReferenceConfig, addresses: 5 },
  name: 'the reference plugin',
}

describe('on simulated kernels', () => {
  testPlugin(subject)
})

const linux = linuxAvailable()

describe.skipIf(!linux.available)(`on Linux${linux.available ? '' : ` (skipped: ${linux.reason})`}`, () => {
  testPlugin(subject, { world: linuxWorld })
})
