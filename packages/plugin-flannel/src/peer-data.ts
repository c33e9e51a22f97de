import type { LeaseData } from '@podfabric/ipam'
import { isMac, type Mac, parseMac } from '@podfabric/netaddr'

/** What a node tells its peers beside its subnet and its address. */
export interface PeerData {
  readonly backend: 'vxlan' | 'host-gw'
  /** MAC address of the tunnel device; vxlan only. */
  readonly vtepMac?: Mac
}

/** As members of Flannel's lease record. */
export function formatPeerData({ backend, vtepMac }: PeerData): LeaseData {
  return { BackendType: backend, ...(vtepMac !== undefined && { BackendData: { VtepMAC: vtepMac } }) }
}

/** Undefined where the record is not of a backend known here: that peer cannot be reached. */
export function parsePeerData({ BackendType, BackendData }: LeaseData): PeerData | undefined {
  if (BackendType === 'host-gw') return { backend: 'host-gw' }
  const vtepMac = macIn(BackendData)
  return BackendType === 'vxlan' && vtepMac !== undefined ? { backend: 'vxlan', vtepMac } : undefined
}

function macIn(data: unknown): Mac | undefined {
  const text: unknown =
    typeof data === 'object' && data !== null && 'VtepMAC' in data ? data.VtepMAC : undefined
  return typeof text === 'string' && isMac(text) ? parseMac(text) : undefined
}
