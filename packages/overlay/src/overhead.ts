import type { Family } from '@podfabric/netaddr'

/** Every way of encapsulation whose overhead is known here. */
export type Encapsulation = 'none' | 'vxlan'

const outerIp: Readonly<Record<Family, number>> = { 4: 20, 6: 40 }
const UDP = 8
const VXLAN = 8
const INNER_ETHERNET = 14

/**
 * Octets that an encapsulation adds between the underlay's MTU and the pod's: outer IP header without
 * options, outer UDP, tunnel header, and the inner Ethernet header where there is one. 50 for VXLAN over
 * IPv4, 70 over IPv6.
 */
export function overhead(encapsulation: Encapsulation, underlay: Family): number {
  return encapsulation === 'none' ? 0 : outerIp[underlay] + UDP + VXLAN + INNER_ETHERNET
}

/** Smallest MTU a link may have for the family: RFC 791, RFC 8200 section 5. */
const least: Readonly<Record<Family, number>> = { 4: 68, 6: 1280 }

/**
 * MTU of a pod's link on an underlay of `underlayMtu` octets. `RangeError` where what remains is less than
 * the pods' family needs: such an underlay cannot carry that network.
 */
export function podMtu(
  underlayMtu: number,
  tunnel: { readonly encapsulation: Encapsulation; readonly underlay: Family; readonly pods?: Family },
): number {
  const { encapsulation, underlay, pods = 4 } = tunnel
  const mtu = underlayMtu - overhead(encapsulation, underlay)
  if (mtu >= least[pods]) return mtu
  throw new RangeError(
    `an underlay MTU of ${underlayMtu} leaves ${mtu} octets inside ${encapsulation} over IPv${underlay}, ` +
      `and IPv${pods} needs ${least[pods]}`,
  )
}
