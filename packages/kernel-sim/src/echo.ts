import { type EchoOutcome, type EchoRequest, KernelError } from '@podfabric/kernel'
import { ipToBytes } from '@podfabric/netaddr'
import { internetChecksum, ipProtocols, setU16At, u16At } from '@podfabric/wire'
import type { Device } from './device.ts'
import { drop, hop } from './hops.ts'
import { addressAt, checkTtl, isBindable, sendAlong, wayTo } from './ip-send.ts'
import type { NetworkNamespace } from './network-namespace.ts'
import type { Packet } from './packet.ts'
import { transportChecksum } from './transport-checksum.ts'

const HEADER = 8
const REQUEST = { 4: 8, 6: 128 }
const LARGEST = { 4: 65_535 - 20 - HEADER, 6: 65_535 - HEADER }
const DEFAULT_PAYLOAD = 56
const DEFAULT_TIMEOUT = 1000

interface Pending {
  end(outcome: EchoOutcome): void
}

/** ICMP echo requests of one namespace that wait for what comes of them, by identifier. */
export class Echoes {
  readonly #pending = { 4: new Map<number, Pending>(), 6: new Map<number, Pending>() }

  /** As `Sockets.echo`. */
  send(netns: NetworkNamespace, request: EchoRequest): Promise<EchoOutcome> {
    const { destination, signal, timeout = DEFAULT_TIMEOUT } = request
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const family = destination.includes(':') ? 6 : 4
      const { packet, identifier, way, header } = this.#prepare(netns, request, family)
      const pending = this.#pending[family]
      const finish = (): void => {
        pending.delete(identifier)
        timer[Symbol.dispose]()
        signal?.removeEventListener('abort', onAbort)
        netns.release()
      }
      const onAbort = (): void => {
        finish()
        reject(signal?.reason)
      }
      const end = (outcome: EchoOutcome): void => {
        finish()
        resolve(outcome)
      }
      const timer = netns.simulation.after(timeout, () => end({ kind: 'timeout' }))
      netns.hold()
      pending.set(identifier, { end })
      signal?.addEventListener('abort', onAbort, { once: true })
      sendAlong(netns, way, packet, header)
      netns.simulation.run()
    })
  }

  #prepare(netns: NetworkNamespace, request: EchoRequest, family: 4 | 6) {
    const { destination, ttl = 64, dontFragment = false, sequence = 1 } = request
    const operation = `ping ${destination}`
    const payload = request.payload ?? defaultPayload()
    checkTtl(ttl, family, operation)
    if (request.source !== undefined && !isBindable(netns, request.source)) {
      throw new KernelError(
        'EADDRNOTAVAIL',
        operation,
        `${request.source} is not an address of this namespace`,
      )
    }
    const source = request.source && ipToBytes(request.source)
    const way = wayTo(netns, destination, source, operation)
    const whole = HEADER + payload.length + (family === 4 ? 20 : 40)
    if (payload.length > LARGEST[family] || (dontFragment && whole > way.mtu)) {
      throw new KernelError('EMSGSIZE', operation, `${whole} octets, and the path takes ${way.mtu}`)
    }
    const identifier = this.#freeIdentifier(netns, family)
    const packet = netns.simulation.packet(HEADER + payload.length)
    const { bytes, start, end } = packet
    bytes[start] = REQUEST[family]
    setU16At(bytes, start + 4, identifier)
    setU16At(bytes, start + 6, sequence)
    bytes.set(payload, start + HEADER)
    if (family === 4) setU16At(bytes, start + 2, internetChecksum(bytes, start, end))
    else {
      bytes.set(way.source, start - 32)
      bytes.set(way.destination, start - 16)
      setU16At(bytes, start + 2, transportChecksum(bytes, start, end, start - 32, 6, ipProtocols.icmpv6))
    }
    const protocol = family === 4 ? ipProtocols.icmp : ipProtocols.icmpv6
    return { packet, identifier, way, header: { protocol, ttl, dontFragment } }
  }

  #freeIdentifier(netns: NetworkNamespace, family: 4 | 6): number {
    const from = netns.simulation.randomBelow(0x1_0000)
    for (let i = 0; i < 0x1_0000; i++) {
      const identifier = (from + i) & 0xffff
      if (!this.#pending[family].has(identifier)) return identifier
    }
    throw new KernelError('EAGAIN', 'ping', 'all 65536 identifiers are waited for')
  }

  /** Ends an echo that waits; false where none has that identifier. */
  end(family: 4 | 6, identifier: number, outcome: EchoOutcome): boolean {
    const pending = this.#pending[family].get(identifier)
    pending?.end(outcome)
    return pending !== undefined
  }

  /** An echo reply over IPv4 whose ICMP header is at `at`. */
  reply4(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
    this.#reply(netns, device, packet, at, packet.bytes[packet.start + 8] as number)
  }

  reply6(netns: NetworkNamespace, device: Device, packet: Packet, at: number): void {
    this.#reply(netns, device, packet, at, packet.bytes[packet.start + 7] as number)
  }

  #reply(netns: NetworkNamespace, device: Device, packet: Packet, at: number, ttl: number): void {
    const identifier = u16At(packet.bytes, at + 4)
    const pending = this.#pending[packet.family].get(identifier)
    if (pending === undefined) return drop(netns, device, packet, 'NO_SOCKET', 'ip')
    if (netns.simulation.tracing) {
      hop(netns, device, packet, 'deliver', 'SOCKET', { echo: identifier }, 'ip')
    }
    const payload = packet.bytes.slice(at + HEADER, packet.end)
    pending.end({ kind: 'reply', from: addressAt(packet, 'source'), ttl, payload })
  }
}

/** As ping fills it: octets counting up. */
function defaultPayload(): Uint8Array {
  return Uint8Array.from({ length: DEFAULT_PAYLOAD }, (_, i) => i)
}
