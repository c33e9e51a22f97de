import { dissector, linkTypes, type NextProtocols, nextProtocols } from '@podfabric/wire'
import { VXLAN_PORT, VXLAN_PORT_LINUX, vxlan } from './vxlan.ts'

const vxlanDissector = dissector(vxlan, (_header, { linkTypes: starts }) => starts.get(linkTypes.ethernet))

/**
 * The protocols of `@podfabric/wire` and the tunnels of this package: VXLAN on its two usual ports. Pass it as
 * `protocols` to `dissect`.
 */
export const overlayProtocols: NextProtocols = {
  ...nextProtocols,
  udpPorts: new Map([
    ...nextProtocols.udpPorts,
    [VXLAN_PORT, vxlanDissector],
    [VXLAN_PORT_LINUX, vxlanDissector],
  ]),
}
