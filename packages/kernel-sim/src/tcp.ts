import type {
  Clock,
  ConnectOptions,
  Endpoint,
  Errno,
  LocalEndpoint,
  TcpConnection,
  TcpListener,
} from '@podfabric/kernel'
import type { Ip } from '@podfabric/netaddr'
import type { Reason } from '@podfabric/trace'

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

/** Room that a segment's buffer has before it, for IP, tunnel and Ethernet headers. */
export const TCP_HEADROOM = 128

/** The two addresses of a connection, seen from this end. One object for a connection's life: worth a cache's key. */
export interface TcpFlow {
  readonly family: 4 | 6
  readonly source: Ip
  readonly destination: Ip
  /** Source, then destination, as an IP header has them: 8 or 32 octets. */
  readonly octets: Uint8Array
}

/** What ICMP says about a segment that was sent from here. */
export type TcpNotice =
  /** Fragmentation needed, packet too big. `mtu` in octets. */
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
  /** As `Sockets.listen`, at once. */
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
