import {
  type Datagram,
  type Endpoint,
  KernelError,
  type LocalEndpoint,
  type SendOptions,
  type UdpSocket,
  type WaitOptions,
} from '@podfabric/kernel'
import { type Ip, ipToBytes, isUnspecified, isV4, UNSPECIFIED_IPV4 } from '@podfabric/netaddr'
import { setU16At, u16At } from '@podfabric/wire'
import { closedError } from './capture.ts'
import type { Device } from './device.ts'
import { drop, hop } from './hops.ts'
import { addressAt, checkTtl, isBindable, sendAlong, wayTo } from './ip-send.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import { PromiseQueue } from './promise-queue.ts'
import { fillUdpChecksum } from './transport-checksum.ts'
import type { UdpEndpoint } from './udp-table.ts'

const HEADER = 8
const PROTOCOL = 17
/** Octets of data that fit: 65,535 less the IPv4 and UDP headers; IPv6 counts only its payload. */
const LARGEST = { 4: 65_507, 6: 65_527 }
/** Datagrams that wait to be read: about what Linux' default of 212,992 octets holds of small ones. */
const WAITING_LIMIT = 256

/** Opens a UDP socket. EADDRINUSE, EADDRNOTAVAIL. It keeps the namespace until it is closed. */
export function openUdp(netns: NetworkNamespace, wish: LocalEndpoint = {}): UdpSocket {
  const address = wish.address ?? UNSPECIFIED_IPV4
  const family = isV4(address) ? 4 : 6
  const operation = `bind ${text({ address, port: wish.port ?? 0 })}/udp`
  const bound = isUnspecified(address) ? undefined : ipToBytes(address)
  if (bound !== undefined && !isBindable(netns, address)) {
    throw new KernelError('EADDRNOTAVAIL', operation, 'the address is not one of this namespace')
  }
  const port = wish.port || freePort(netns, family, bound, operation)
  const socket = new SimulatedUdpSocket(netns, { address, port }, bound)
  netns.udp.bind(socket.endpoint, operation)
  netns.hold()
  return socket
}

/** A port that nobody has, looked for from a random one on. */
function freePort(
  netns: NetworkNamespace,
  family: 4 | 6,
  address: Uint8Array | undefined,
  operation: string,
): number {
  const [first, last] = netns.sysctls.ports
  const count = last - first + 1
  const offset = netns.simulation.randomBelow(count)
  for (let i = 0; i < count; i++) {
    const port = first + ((offset + i) % count)
    if (!netns.udp.isTaken(family, address, port)) return port
  }
  throw new KernelError('EADDRINUSE', operation, `all ports from ${first} to ${last} are taken`)
}

class SimulatedUdpSocket implements UdpSocket {
  readonly local: Endpoint
  readonly endpoint: UdpEndpoint
  readonly #netns: NetworkNamespace
  readonly #bound: Uint8Array | undefined
  readonly #queue = new PromiseQueue<Datagram>(WAITING_LIMIT)
  #closed = false

  constructor(netns: NetworkNamespace, local: Endpoint, bound: Uint8Array | undefined) {
    this.#netns = netns
    this.#bound = bound
    this.local = local
    this.endpoint = {
      family: isV4(local.address) ? 4 : 6,
      address: bound,
      port: local.port,
      uncheckedIpv6: false,
      receive: (at, device, packet, header) => this.#receive(at, device, packet, header),
    }
  }

  #receive(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
    const { bytes, end } = packet
    const taken = this.#queue.push({
      data: bytes.slice(at + HEADER, end),
      from: { address: addressAt(packet, 'source'), port: u16At(bytes, at) },
      to: { address: addressAt(packet, 'destination'), port: this.local.port },
    })
    if (!taken) return drop(netns, device, packet, 'SOCKET_FULL', 'ip')
    if (netns.simulation.tracing) {
      hop(netns, device, packet, 'deliver', 'SOCKET', { socket: `udp ${text(this.local)}` }, 'ip')
    }
  }

  async send(data: Uint8Array, to: Endpoint, options: SendOptions = {}): Promise<void> {
    this.#sendNow(data, to, options)
    this.#netns.simulation.run()
  }

  #sendNow(data: Uint8Array, to: Endpoint, options: SendOptions): void {
    const operation = `send ${text(to)}/udp`
    if (this.#closed) throw closedError(operation)
    const { family } = this.endpoint
    if ((isV4(to.address) ? 4 : 6) !== family) {
      throw new KernelError('EAFNOSUPPORT', operation, `the socket is bound to ${text(this.local)}`)
    }
    if (!(Number.isInteger(to.port) && to.port > 0 && to.port <= 0xffff)) {
      throw new KernelError('EINVAL', operation, `there is no port ${to.port}`)
    }
    if (data.length > LARGEST[family]) {
      throw new KernelError('EMSGSIZE', operation, `${data.length} octets, at most ${LARGEST[family]} fit`)
    }
    const netns = this.#netns
    const way = wayTo(netns, to.address, this.#bound, operation)
    const { dontFragment = false, ttl = 64 } = options
    checkTtl(ttl, family, operation)
    const whole = data.length + HEADER + (family === 4 ? 20 : 40)
    if (dontFragment && whole > way.mtu) {
      throw new KernelError('EMSGSIZE', operation, `${whole} octets, and the path takes ${way.mtu}`)
    }
    const packet = netns.simulation.packet(HEADER + data.length)
    const { bytes, start, end } = packet
    setU16At(bytes, start, this.local.port)
    setU16At(bytes, start + 2, to.port)
    setU16At(bytes, start + 4, end - start)
    bytes.set(data, start + HEADER)
    // The pseudo-header's addresses are written where the IP header will have them.
    const addresses = start - way.source.length - way.destination.length
    bytes.set(way.source, addresses)
    bytes.set(way.destination, addresses + way.source.length)
    fillUdpChecksum(bytes, start, end, addresses, family)
    sendAlong(netns, way, packet, { protocol: PROTOCOL, ttl, dontFragment })
  }

  async receive(options: WaitOptions = {}): Promise<Datagram> {
    const datagram = await this.#queue.take(options)
    if (datagram === undefined) throw closedError(`receive ${text(this.local)}/udp`)
    return datagram
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#netns.udp.unbind(this.endpoint)
    this.#queue.fail(closedError(`receive ${text(this.local)}/udp`))
    this.#netns.release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Ends when the socket is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram> {
    for (;;) {
      try {
        yield await this.receive()
      } catch (error) {
        if (this.#closed) return
        throw error
      }
    }
  }
}

function text({ address, port }: { readonly address: Ip; readonly port: number }): string {
  return isV4(address) ? `${address}:${port}` : `[${address}]:${port}`
}
