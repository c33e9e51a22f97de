import type { LeaseData } from '@podfabric/ipam'
import { isMac, type Mac, parseMac } from '@podfabric/netaddr'

/** What a node tells its peers beside its subnet and its address. */
export type PeerData = VxlanPeerData | HostGwPeerData

export interface VxlanPeerData {
  readonly backend: 'vxlan'
  readonly vni: number
  /** MAC address of the tunnel device. */
  readonly vtepMac: Mac
}

export interface HostGwPeerData {
  readonly backend: 'host-gw'
}

/** As members of Flannel's lease record. */
export function formatPeerData(data: PeerData): LeaseData {
  if (data.backend === 'host-gw') return { BackendType: 'host-gw' }
  return { BackendType: 'vxlan', BackendData: { VNI: data.vni, VtepMAC: data.vtepMac } }
}

/** Undefined where the record is not of a backend known here: that peer cannot be reached. */
export function parsePeerData({ BackendType, BackendData }: LeaseData): PeerData | undefined {
  if (BackendType === 'host-gw') return { backend: 'host-gw' }
  if (BackendType !== 'vxlan' || typeof BackendData !== 'object' || BackendData === null) return undefined
  const vni = 'VNI' in BackendData ? BackendData.VNI : undefined
  const mac = 'VtepMAC' in BackendData ? BackendData.VtepMAC : undefined
  if (typeof vni !== 'number' || typeof mac !== 'string' || !isMac(mac)) return undefined
  return { backend: 'vxlan', vni, vtepMac: parseMac(mac) }
}
