import type { IfAddress, Ip, Mac, Prefix } from '@podfabric/netaddr'
import type { JsonObject } from './json.ts'

/**
 * What ADD made: the newest version's result (SPEC 1.1.0, "ADD Success"), which is the one model inside.
 * `cniVersion` is not part of it; the process edge writes the version that was asked for.
 */
export interface AddResult {
  /** Every interface of the attachment, host-side ones included. */
  readonly interfaces: readonly ResultInterface[]
  readonly ips: readonly ResultIp[]
  readonly routes: readonly ResultRoute[]
  readonly dns?: ResultDns
  /** Keys that the specification does not know, kept from `prevResult`. */
  readonly extra?: JsonObject
}

export interface ResultInterface {
  readonly name: string
  /** A hardware address that is not a MAC of six octets is kept in `extra`. */
  readonly mac?: Mac
  readonly mtu?: number
  /** CNI_NETNS as it was given; missing for an interface on the host. */
  readonly sandbox?: string
  readonly socketPath?: string
  readonly pciId?: string
  readonly extra?: JsonObject
}

export interface ResultIp {
  /** With the length of its prefix; host bits kept. */
  readonly address: IfAddress
  readonly gateway?: Ip
  /** Index into `interfaces`. IPAM plugins leave it out (SPEC 1.1.0, section 4). */
  readonly interface?: number
  readonly extra?: JsonObject
}

export interface ResultRoute {
  /** Host bits are cleared when a result is read. */
  readonly destination: Prefix
  /** Missing: the gateway of the address of the same family. */
  readonly gateway?: Ip
  readonly mtu?: number
  readonly advmss?: number
  readonly priority?: number
  readonly table?: number
  readonly scope?: number
  readonly extra?: JsonObject
}

export interface ResultDns {
  readonly nameservers?: readonly string[]
  readonly domain?: string
  readonly search?: readonly string[]
  readonly options?: readonly string[]
  readonly extra?: JsonObject
}
