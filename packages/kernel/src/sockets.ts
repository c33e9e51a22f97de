import type { Ip } from '@podfabric/netaddr'

/** An address and a port, 0 to 65535. */
export interface Endpoint {
  readonly address: Ip
  readonly port: number
}

/**
 * Sockets of one namespace: the seam under DNS, probes and workloads.
 * A socket keeps its namespace alive until it is closed. Waiting calls take a signal; an aborted one
 * rejects with the signal's reason and loses no data.
 */
export interface Sockets {
  /** EADDRINUSE, EADDRNOTAVAIL. Without `local`, any IPv4 address and a free port from 32768 to 60999. */
  udp(local?: LocalEndpoint): Promise<UdpSocket>
  /** EADDRINUSE, EADDRNOTAVAIL. Port 0 takes a free one. */
  listen(local: LocalEndpoint): Promise<TcpListener>
  /** ECONNREFUSED, ETIMEDOUT, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL. */
  connect(remote: Endpoint, options?: ConnectOptions): Promise<TcpConnection>
  /** Sends one ICMP echo request and waits for what comes of it. ENETUNREACH, EMSGSIZE where it cannot be sent. */
  echo(request: EchoRequest): Promise<EchoOutcome>
}

export interface LocalEndpoint {
  /** Default `0.0.0.0`. `::` takes IPv6 only. */
  readonly address?: Ip
  /** Default 0: a free one. */
  readonly port?: number
}

export interface ConnectOptions {
  readonly local?: LocalEndpoint
  readonly signal?: AbortSignal | undefined
}

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined
}

export interface UdpSocket extends AsyncDisposable, AsyncIterable<Datagram> {
  readonly local: Endpoint
  /** The octets are copied before it returns. EMSGSIZE with `dontFragment`, or over 65,507 octets; ENETUNREACH. */
  send(data: Uint8Array, to: Endpoint, options?: SendOptions): Promise<void>
  /** The next datagram, in order of arrival. Rejects with EBADF once closed. */
  receive(options?: WaitOptions): Promise<Datagram>
  close(): Promise<void>
}

export interface SendOptions {
  /** Default 64. */
  readonly ttl?: number
  /** Default false. */
  readonly dontFragment?: boolean
}

export interface Datagram {
  /** The receiver's own copy. */
  readonly data: Uint8Array
  /** The sender as the receiver sees it: after any NAT. */
  readonly from: Endpoint
  /** The address it was sent to, which for a wildcard socket tells the own address. */
  readonly to: Endpoint
}

export interface TcpListener extends AsyncDisposable, AsyncIterable<TcpConnection> {
  readonly local: Endpoint
  accept(options?: WaitOptions): Promise<TcpConnection>
  /** Connections not yet accepted are reset. */
  close(): Promise<void>
}

export interface TcpConnection extends AsyncDisposable, AsyncIterable<Uint8Array> {
  readonly local: Endpoint
  readonly remote: Endpoint
  /** The next octets, at least one; undefined once the other side has finished. ECONNRESET, ETIMEDOUT. */
  read(options?: WaitOptions): Promise<Uint8Array | undefined>
  /** Resolves when the octets are accepted for sending. EPIPE after `finish`, ECONNRESET, ETIMEDOUT. */
  write(data: Uint8Array): Promise<void>
  /** Sends FIN: no more from here; reading goes on. */
  finish(): Promise<void>
  /** Finishes if need be and lets go; the kernel sees the rest through. */
  close(): Promise<void>
  /** Sends RST and lets go at once. */
  reset(): Promise<void>
}

export interface EchoRequest {
  readonly destination: Ip
  readonly source?: Ip
  /** Octets after the ICMP header. Default 56 octets. */
  readonly payload?: Uint8Array
  /** Default 64. */
  readonly ttl?: number
  /** Default false. */
  readonly dontFragment?: boolean
  /** 0 to 65535. Default 1. */
  readonly sequence?: number
  /** Milliseconds on the kernel's clock. Default 1000. */
  readonly timeout?: number
  readonly signal?: AbortSignal | undefined
}

export type EchoOutcome =
  | { readonly kind: 'reply'; readonly from: Ip; readonly ttl: number; readonly payload: Uint8Array }
  /** ICMP destination unreachable; `code` as in RFC 792 or RFC 4443. */
  | { readonly kind: 'unreachable'; readonly from: Ip; readonly code: number }
  /** Fragmentation needed (RFC 1191), packet too big (RFC 8201): `mtu` octets would pass. */
  | { readonly kind: 'too-big'; readonly from: Ip; readonly mtu: number }
  | { readonly kind: 'time-exceeded'; readonly from: Ip }
  | { readonly kind: 'timeout' }
