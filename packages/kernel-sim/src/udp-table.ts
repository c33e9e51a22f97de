import { KernelError } from '@podfabric/kernel'
import type { Device } from './device.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import { i32At, same16 } from './octets.ts'
import type { Packet } from './packet.ts'

/** What takes datagrams at a port. */
export interface UdpEndpoint {
  readonly family: 4 | 6
  /** The address it is bound to, in network order; undefined for any. */
  readonly address: Uint8Array | undefined
  readonly port: number
  /** Whether it takes datagrams without a checksum over IPv6: tunnels do (RFC 6935). */
  readonly uncheckedIpv6: boolean
  /** Takes a datagram whose UDP header is at `at`; the packet is the endpoint's then. */
  receive(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void
}

/** Who listens at which UDP port of one namespace. */
export class UdpTable {
  #by4: Map<number, UdpEndpoint[]> | undefined
  #by6: Map<number, UdpEndpoint[]> | undefined

  /** EADDRINUSE where the port is taken at that address, or at any where one of both is any. */
  bind(endpoint: UdpEndpoint, operation: string): void {
    if (this.isTaken(endpoint.family, endpoint.address, endpoint.port)) {
      throw new KernelError('EADDRINUSE', operation, `UDP port ${endpoint.port} is taken`)
    }
    const table = this.#table(endpoint.family)
    const there = table.get(endpoint.port)
    if (there === undefined) table.set(endpoint.port, [endpoint])
    else there.push(endpoint)
  }

  isTaken(family: 4 | 6, address: Uint8Array | undefined, port: number): boolean {
    const there = this.#table(family).get(port) ?? []
    return there.some(
      (other) => !address || !other.address || other.address.every((octet, i) => octet === address[i]),
    )
  }

  unbind(endpoint: UdpEndpoint): void {
    const table = this.#table(endpoint.family)
    const left = (table.get(endpoint.port) ?? []).filter((other) => other !== endpoint)
    if (left.length === 0) table.delete(endpoint.port)
    else table.set(endpoint.port, left)
  }

  /** Who takes a datagram to the address at `bytes[at]`: bound to it before bound to any. */
  lookup(family: 4 | 6, port: number, bytes: Uint8Array, at: number): UdpEndpoint | undefined {
    const there = (family === 4 ? this.#by4 : this.#by6)?.get(port)
    if (there === undefined) return undefined
    let any: UdpEndpoint | undefined
    for (const endpoint of there) {
      const { address } = endpoint
      if (address === undefined) any = endpoint
      else if (family === 4 ? i32At(address, 0) === i32At(bytes, at) : same16(address, 0, bytes, at))
        return endpoint
    }
    return any
  }

  #table(family: 4 | 6): Map<number, UdpEndpoint[]> {
    this.#by4 ??= new Map()
    this.#by6 ??= new Map()
    return family === 4 ? this.#by4 : this.#by6
  }
}
