import { simulate } from '@podfabric/kernel-sim'
import { ifAddress } from '@podfabric/netaddr'
import type { World } from './world.ts'

/** Simulated kernels on one simulated segment, on a virtual clock. The same seed gives the same packets. */
export async function simulatedWorld(seed: number): Promise<World> {
  const network = simulate({ seed })
  return {
    clock: network.clock,
    async nodes(count) {
      const underlay = network.underlay()
      return Array.from({ length: count }, (_none, index) => {
        const name = `node-${index + 1}`
        const addresses = [ifAddress(`192.168.50.${index + 1}/24`), ifAddress(`fd50::${index + 1}/64`)]
        underlay.attach(name, { addresses })
        return network.node(name)
      })
    },
    hold: () => network.clock.hold(),
    async close() {
      for (const name of network.nodes()) network.remove(name)
    },
  }
}
