import { type Ip, isIp, isMac, type Mac, parseIp, parseMac } from '@podfabric/netaddr'

/** What a node tells its peers beside its subnet: Flannel's lease value. */
export interface LeaseData {
  /** Address on the underlay. */
  readonly publicIp: Ip
  readonly backend: 'vxlan' | 'host-gw'
  /** MAC address of the tunnel device; vxlan only. */
  readonly vtepMac?: Mac
}

/** As JSON, in Flannel's words. */
export function formatLeaseData({ publicIp, backend, vtepMac }: LeaseData): string {
  return JSON.stringify({
    PublicIP: publicIp,
    BackendType: backend,
    ...(vtepMac !== undefined && { BackendData: { VtepMAC: vtepMac } }),
  })
}

/** Undefined where the text is not a lease value of a backend known here: that peer cannot be reached, and is named. */
export function parseLeaseData(text: string): LeaseData | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const { PublicIP, BackendType, BackendData } = fieldsOf(value)
  if (typeof PublicIP !== 'string' || !isIp(PublicIP)) return undefined
  const publicIp = parseIp(PublicIP)
  if (BackendType === 'host-gw') return { publicIp, backend: 'host-gw' }
  const { VtepMAC } = fieldsOf(BackendData)
  if (BackendType !== 'vxlan' || typeof VtepMAC !== 'string' || !isMac(VtepMAC)) return undefined
  return { publicIp, backend: 'vxlan', vtepMac: parseMac(VtepMAC) }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
