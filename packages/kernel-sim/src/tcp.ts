import {
  type Clock,
  type ConnectOptions,
  type Endpoint,
  type Errno,
  KernelError,
  type LocalEndpoint,
  type TcpConnection,
  type TcpListener,
} from '@podfabric/kernel'
import {
  familyOf,
  type Ip,
  isUnspecified,
  LOOPBACK_IPV4,
  LOOPBACK_IPV6,
  UNSPECIFIED_IPV4,
} from '@podfabric/netaddr'
import type { Reason } from '@podfabric/trace'
import { tcpFlags, u16At, u32At } from '@podfabric/wire'
import { TcpAcceptor } from './tcp-acceptor.ts'
import { TcpControlBlock, type TcpHost, type TcpPorts } from './tcp-control-block.ts'
import { addressSum, octetsOf, type TcpFlow, tcpFlow, tcpFlowBack } from './tcp-flow.ts'
import { segmentArrives, synchronize } from './tcp-input.ts'
import { TcpListeners } from './tcp-listeners.ts'
import { refusalOf } from './tcp-reset.ts'
import { TcpSegment, tcpChecksumHolds } from './tcp-segment.ts'
import { sequenceBefore } from './tcp-sequence.ts'
import { TcpSocket } from './tcp-socket.ts'
import { connectionHash, TcpTable } from './tcp-table.ts'

export type { TcpFlow } from './tcp-flow.ts'
export { TCP_HEADROOM } from './tcp-segment.ts'

/** What TCP has to know of the namespace that it runs in. */
export interface TcpEnvironment {
  readonly clock: Clock
  /** Numbers in [0, 1): initial sequence numbers and free ports. */
  readonly random: () => number
  /**
   * Sends a segment: puts an IP header with "do not fragment" before it, and routes it. The segment is the
   * receiver's to keep; its buffer has `TCP_HEADROOM` octets before it. Never called while a segment is being
   * worked on, so it may call `input` before it returns. What cannot be sent is lost, or told by `icmpError`.
   */
  output(flow: TcpFlow, segment: Uint8Array): void
  /** The path MTU of the flow in octets, as far as known now. */
  mtuTo(flow: TcpFlow): number
  /** The address that a connection to `destination` begins at. Throws the `KernelError` of a missing route. */
  sourceFor(destination: Ip): Ip
  /** Whether the address is one of this namespace, to listen on and to connect from. */
  isLocal(address: Ip): boolean
  /** First and last port given to those who ask for none. Default 32768 to 60999. */
  readonly ephemeralPorts?: () => readonly [first: number, last: number]
}

/** What ICMP says about a segment that was sent from here. */
export type TcpNotice =
  /** Fragmentation needed, packet too big. `mtu` in octets; 0 where the router does not say. */
  | { readonly kind: 'too-big'; readonly mtu: number }
  /** The errno of an unreachable: ECONNREFUSED for a port, EHOSTUNREACH, ENETUNREACH. Final only while connecting. */
  | { readonly kind: 'unreachable'; readonly code: Errno }

/** TCP (RFC 9293) of one namespace. */
export interface TcpStack {
  /**
   * A segment for this namespace: `bytes[offset, end)`, with the IP header's two addresses adjacent at
   * `bytes[addresses]`. The octets are copied. Says what became of it, as a trace does.
   */
  input(bytes: Uint8Array, offset: number, end: number, addresses: number, family: 4 | 6): TcpOutcome
  /**
   * The first octets, 8 at least, of a segment sent from here that ICMP quotes: `bytes[offset]`, with the
   * quoted IP header's two addresses at `bytes[addresses]`. Nothing where no connection sent it.
   */
  icmpError(bytes: Uint8Array, offset: number, addresses: number, family: 4 | 6, notice: TcpNotice): void
  /** As `Sockets.listen`, at once. Without `local`, any IPv4 address. */
  listen(local: LocalEndpoint): TcpListener
  /** As `Sockets.connect`. */
  connect(remote: Endpoint, options?: ConnectOptions): Promise<TcpConnection>
  /** Drops every connection and listener without a word on the wire, as the end of a namespace does. */
  destroy(): void
}

export type TcpOutcome = Extract<
  Reason,
  'SOCKET' | 'NO_SOCKET' | 'SOCKET_FULL' | 'BAD_CHECKSUM' | 'MALFORMED'
>

/** The smallest path MTUs that are believed: room for a few octets of data. */
const LEAST_MTU = { 4: 88, 6: 1280 } as const
/** What is tried when a router does not say the MTU (RFC 1191 section 5). */
const UNSAID_MTU = 576

const EPHEMERAL = [32_768, 60_999] as const

export function tcpStack(environment: TcpEnvironment): TcpStack {
  return new Stack(environment)
}

class Stack implements TcpStack, TcpHost {
  readonly clock: Clock
  readonly random: () => number
  readonly #environment: TcpEnvironment
  readonly #table = new TcpTable()
  readonly #listeners = new TcpListeners()
  readonly #segment = new TcpSegment()
  /** Connections that have something to send, and segments that belong to none. */
  readonly #scheduled: TcpControlBlock[] = []
  readonly #emitted: { flow: TcpFlow; segment: Uint8Array }[] = []
  #busy = false
  #destroyed = false

  constructor(environment: TcpEnvironment) {
    this.#environment = environment
    this.clock = environment.clock
    this.random = environment.random
  }

  input(bytes: Uint8Array, offset: number, end: number, addresses: number, family: 4 | 6): TcpOutcome {
    const segment = this.#segment
    if (this.#destroyed) return 'NO_SOCKET'
    if (!segment.read(bytes, offset, end)) return 'MALFORMED'
    if (!tcpChecksumHolds(bytes, offset, end, addressSum(bytes, addresses, family))) return 'BAD_CHECKSUM'
    const { sourcePort, destinationPort } = segment
    const own = addresses + octetsOf(family)
    const block = this.#table.find(bytes, own, addresses, family, destinationPort, sourcePort)
    return this.#atomically(() => {
      const reaction = block === undefined ? 'reopen' : segmentArrives(block, segment)
      if (reaction === 'done') return 'SOCKET'
      if (reaction === 'reopen') return this.#open(bytes, addresses, family)
      this.#refuse(bytes, addresses, family)
      return 'SOCKET'
    })
  }

  /** A segment without connection: for a listener, or refused. */
  #open(bytes: Uint8Array, addresses: number, family: 4 | 6): TcpOutcome {
    const segment = this.#segment
    const flow = tcpFlowBack(bytes, addresses, family)
    const acceptor = this.#listeners.find(flow.source, segment.destinationPort)
    if (acceptor === undefined || segment.has(tcpFlags.ack)) {
      this.#refuse(bytes, addresses, family)
      return acceptor === undefined ? 'NO_SOCKET' : 'SOCKET'
    }
    if (!segment.has(tcpFlags.syn) || segment.has(tcpFlags.rst | tcpFlags.fin)) return 'SOCKET'
    if (acceptor.full) return 'SOCKET_FULL'
    const ports = portsAt(flow, segment.destinationPort, segment.sourcePort)
    const block = new TcpControlBlock(this, 'syn-received', flow, ports, NOBODY)
    acceptor.adopt(block)
    this.#table.add(block)
    synchronize(block, segment)
    block.schedule()
    return 'SOCKET'
  }

  #refuse(bytes: Uint8Array, addresses: number, family: 4 | 6): void {
    const answer = refusalOf(this.#segment, bytes, addresses, family)
    if (answer !== undefined) this.emit(answer.flow, answer.segment)
  }

  icmpError(bytes: Uint8Array, offset: number, addresses: number, family: 4 | 6, notice: TcpNotice): void {
    const other = addresses + octetsOf(family)
    const ports = [u16At(bytes, offset), u16At(bytes, offset + 2)] as const
    const block = this.#table.find(bytes, addresses, other, family, ...ports)
    if (block === undefined) return
    const sequence = u32At(bytes, offset + 4)
    const { unacknowledged, highest } = block.sender
    if (sequenceBefore(sequence, unacknowledged) || !sequenceBefore(sequence, highest)) return
    this.#atomically(() => {
      if (notice.kind === 'unreachable') {
        if (block.sender.synchronized) block.softError = notice.code
        else block.fail(notice.code, 'a router or the host says that it cannot be reached')
      } else {
        block.pathShrank(Math.max(notice.mtu === 0 ? UNSAID_MTU : notice.mtu, LEAST_MTU[family]))
      }
    })
  }

  listen(local: LocalEndpoint): TcpListener {
    const address = local.address ?? UNSPECIFIED_IPV4
    const operation = `tcp listen ${address}:${local.port ?? 0}`
    if (!isUnspecified(address) && !this.#environment.isLocal(address)) {
      throw new KernelError('EADDRNOTAVAIL', operation, `${address} is not an address of this namespace`)
    }
    const port = local.port || this.#freePort((candidate) => !this.#listeners.overlaps(address, candidate))
    if (port === undefined) throw new KernelError('EADDRINUSE', operation, 'no ephemeral port is free')
    if (this.#listeners.overlaps(address, port)) {
      throw new KernelError('EADDRINUSE', operation, 'another socket listens there')
    }
    const acceptor = new TcpAcceptor({ address, port }, (closed) => this.#listeners.remove(closed))
    this.#listeners.add(acceptor)
    return acceptor
  }

  async connect(remote: Endpoint, options: ConnectOptions = {}): Promise<TcpConnection> {
    const { local = {}, signal } = options
    signal?.throwIfAborted()
    const destination = reachable(remote.address)
    const operation = `tcp connect ${remote.address}:${remote.port}`
    const flow = tcpFlow(this.#sourceOf(local, destination, operation), destination)
    const port = this.#connectPort(flow, local.port ?? 0, remote.port, operation)
    const ports = portsAt(flow, port, remote.port)
    return new Promise((resolve, reject) => {
      const block = new TcpControlBlock(this, 'syn-sent', flow, ports, {
        established: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve(new TcpSocket(block))
        },
        readable() {},
        writable() {},
        failed: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(new KernelError(error.code, operation, 'no connection came about', { cause: error }))
        },
      })
      const onAbort = (): void => {
        block.orphaned = true
        block.abort()
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#table.add(block)
      block.schedule()
    })
  }

  /** What is wrong with the local end is told before what is wrong with the way. */
  #sourceOf(local: LocalEndpoint, destination: Ip, operation: string): Ip {
    const { address } = local
    if (address === undefined || isUnspecified(address)) return this.#environment.sourceFor(destination)
    if (!this.#environment.isLocal(address)) {
      throw new KernelError('EADDRNOTAVAIL', operation, `${address} is not an address of this namespace`)
    }
    if (familyOf(address) !== familyOf(destination)) {
      throw new KernelError('EINVAL', operation, `${address} is of another family`)
    }
    this.#environment.sourceFor(destination)
    return address
  }

  #connectPort(flow: TcpFlow, wanted: number, remotePort: number, operation: string): number {
    const isFree = (port: number): boolean =>
      !this.#listeners.overlaps(flow.source, port) && !this.#table.has(flow, port, remotePort)
    if (wanted !== 0) {
      if (isFree(wanted)) return wanted
      throw new KernelError('EADDRINUSE', operation, `local port ${wanted} is in use`)
    }
    const port = this.#freePort(isFree)
    if (port !== undefined) return port
    throw new KernelError('EADDRNOTAVAIL', operation, 'no ephemeral port is free')
  }

  #freePort(isFree: (port: number) => boolean): number | undefined {
    const [first, last] = this.#environment.ephemeralPorts?.() ?? EPHEMERAL
    const count = last - first + 1
    const start = Math.floor(this.random() * count)
    for (let i = 0; i < count; i++) {
      const port = first + ((start + i) % count)
      if (isFree(port)) return port
    }
    return undefined
  }

  destroy(): void {
    this.#destroyed = true
    for (const acceptor of this.#listeners.all()) void acceptor.close()
    for (const block of this.#table.all()) block.fail('ENETDOWN', 'the namespace is gone')
    this.#scheduled.length = 0
    this.#emitted.length = 0
  }

  mtuTo(flow: TcpFlow): number {
    return this.#environment.mtuTo(flow)
  }

  schedule(block: TcpControlBlock): void {
    if (this.#destroyed) return
    if (!block.scheduled) {
      block.scheduled = true
      this.#scheduled.push(block)
    }
    if (!this.#busy) this.#atomically(() => undefined)
  }

  emit(flow: TcpFlow, segment: Uint8Array): void {
    if (this.#destroyed) return
    this.#emitted.push({ flow, segment })
    if (!this.#busy) this.#atomically(() => undefined)
  }

  /**
   * Does the work, then sends what came of it. Where that brings in new segments at once, they are worked on
   * then, and what comes of those is sent by the outermost call: no connection is ever half way through one.
   */
  #atomically<T>(work: () => T): T {
    if (this.#busy) return work()
    this.#busy = true
    try {
      const result = work()
      this.#flush()
      return result
    } finally {
      this.#busy = false
    }
  }

  #flush(): void {
    const output = (flow: TcpFlow, segment: Uint8Array): void => this.#environment.output(flow, segment)
    while (this.#scheduled.length > 0 || this.#emitted.length > 0) {
      for (const { flow, segment } of this.#emitted.splice(0)) output(flow, segment)
      const block = this.#scheduled.shift()
      if (block === undefined) continue
      block.scheduled = false
      block.transmit(output)
    }
  }

  remove(block: TcpControlBlock): void {
    this.#table.remove(block)
  }
}

const NOBODY = { established() {}, readable() {}, writable() {}, failed() {} }

function portsAt(flow: TcpFlow, local: number, remote: number): TcpPorts {
  return { local, remote, hash: connectionHash(flow, local, remote) }
}

/** To connect to no address in particular is to connect to this host, as in Linux. */
function reachable(address: Ip): Ip {
  if (!isUnspecified(address)) return address
  return familyOf(address) === 4 ? LOOPBACK_IPV4 : LOOPBACK_IPV6
}
