import type { PluginFactory } from '@podfabric/cni'
import type { Subject } from '../../src/subject.ts'
import type { ReferenceConfig } from '../fixtures/reference-config.ts'
import { referenceIpam, referenceIpamConfig } from '../fixtures/reference-ipam.ts'
import type { Mutant } from './mutant.ts'

export const ipamSubject: Subject = { kind: 'factory', factory: referenceIpam, config: referenceIpamConfig }

const pointing: PluginFactory<ReferenceConfig> = (context) => {
  const plugin = referenceIpam(context)
  return {
    ...plugin,
    async add(request) {
      const result = await plugin.add(request)
      return { ...result, ips: result.ips.map((each) => ({ ...each, interface: 0 })) }
    },
  }
}

/** Address management. */
export const ipamMutants: readonly Mutant[] = [
  {
    name: 'an IPAM plugin says which interface its addresses are for',
    fails: ['ipam.short-result'],
    subject: { ...ipamSubject, kind: 'factory', factory: pointing },
  },
]
