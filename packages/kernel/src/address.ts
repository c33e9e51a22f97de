import type { IfAddress } from '@podfabric/netaddr'

/** `ip address`: an address on a link. Keyed by link and address with prefix length. */
export interface Address {
  /** Name of the link. */
  readonly link: string
  /** The address and the length of the prefix it is on; host bits are kept. */
  readonly address: IfAddress
  /** Default `global`; the kernel chooses `host` for loopback and `link` for link-local addresses. */
  readonly scope?: 'global' | 'link' | 'host'
  /** Adds no route for the address' prefix. Default false. */
  readonly noPrefixRoute?: boolean
  /** IPv6: skip duplicate address detection, so that the address is usable at once. Default false. */
  readonly noDad?: boolean
  /** IPv6: detection is under way; the address cannot be used yet. Set by the kernel only. */
  readonly tentative?: boolean
}

export type AddressKey = Pick<Address, 'link' | 'address'>
