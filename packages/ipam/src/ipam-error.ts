import type { Ip } from '@podfabric/netaddr'

/**
 * IPAM_EXHAUSTED: the pool has no free address.
 * IPAM_ADDRESS_IN_USE: the requested address belongs to another owner.
 * IPAM_OUT_OF_RANGE: the requested address is not one that the pools may give.
 * IPAM_OWNER_CONFLICT: the owner has addresses already, and they are not those it asks for now.
 * IPAM_INVALID_POOL: the configuration of pools, or of a network for subnet leases, makes no sense.
 * IPAM_INVALID_OWNER: the owner, or the node, has no valid name.
 * IPAM_OUT_OF_SUBNETS: the network has no free subnet for another node.
 * IPAM_SUBNET_IN_USE: the node that is to be retired holds its subnet still, or another process holds it now.
 */
export type IpamErrorCode =
  | 'IPAM_EXHAUSTED'
  | 'IPAM_ADDRESS_IN_USE'
  | 'IPAM_OUT_OF_RANGE'
  | 'IPAM_OWNER_CONFLICT'
  | 'IPAM_INVALID_POOL'
  | 'IPAM_INVALID_OWNER'
  | 'IPAM_OUT_OF_SUBNETS'
  | 'IPAM_SUBNET_IN_USE'

/** What an `IpamError` is about. */
export interface IpamErrorOptions extends ErrorOptions {
  readonly pool?: string
  readonly address?: Ip
}

/** An address or a subnet could not be had. Compare `code`; errors of the store pass through as they are. */
export class IpamError extends Error {
  override readonly name = 'IpamError'
  readonly code: IpamErrorCode
  /** The name of the pool concerned, where there is one. */
  readonly pool: string | undefined
  /** The address concerned, where there is one. */
  readonly address: Ip | undefined

  constructor(code: IpamErrorCode, message: string, options: IpamErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.pool = options.pool
    this.address = options.address
  }
}
