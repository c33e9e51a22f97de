import { kernelContract, type Lab } from '@podfabric/kernel/testing'
import { ifAddress } from '@podfabric/netaddr'
import { describe, it } from 'vitest'
import { simulate } from './simulate.ts'

async function lab(): Promise<Lab> {
  const network = simulate({ seed: 7 })
  return {
    clock: network.clock,
    async nodes(count) {
      const segment = network.underlay()
      return Array.from({ length: count }, (_, i) => {
        const name = `node-${i + 1}`
        const addresses = [ifAddress(`192.168.50.${i + 1}/24`), ifAddress(`fd50::${(i + 1).toString(16)}/64`)]
        segment.attach(name, { addresses })
        return network.node(name)
      })
    },
    async close() {
      for (const name of network.nodes()) network.remove(name)
    },
  }
}

describe('the simulated kernel keeps the kernel contract', () => {
  for (const { name, skip, run } of kernelContract(lab, { supports: ['nft', 'conntrack'] })) {
    it.skipIf(skip !== undefined)(name, run)
  }
})
