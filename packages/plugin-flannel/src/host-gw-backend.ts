import { ownership } from '@podfabric/kernel'
import { familyOf, prefixFamily } from '@podfabric/netaddr'
import type { Backend, BackendContext } from './backend.ts'

export interface HostGwConfig {
  readonly type: 'host-gw'
}

/** No tunnel: each peer is a route by its public address. The nodes must share a link; routers in between know no pods. */
export function hostGwBackend({ underlay, network }: BackendContext): Backend {
  return {
    podMtu: underlay.mtu,
    peerData: { backend: 'host-gw' },
    owned: { network },
    underlay,
    ensure: async () => undefined,
    tables: async (peers) => ({
      routes: peers
        .filter(
          ({ data, publicIp }) => data.backend === 'host-gw' && familyOf(publicIp) === prefixFamily(network),
        )
        .map(({ subnet, publicIp }) => ({
          destination: subnet,
          gateway: publicIp,
          link: underlay.link,
          protocol: ownership.routeProtocol,
        })),
      neighbors: [],
      fdb: [],
    }),
  }
}
