import {
  type Datagram,
  type Endpoint,
  KernelError,
  type LocalEndpoint,
  type SendOptions,
  type UdpSocket,
  type WaitOptions,
} from '@podfabric/kernel'
import { ipFromBytes, UNSPECIFIED_IPV4 } from '@podfabric/netaddr'
import { controlData } from './control-message.ts'
import { checked, kernelError } from './errno.ts'
import { AF_INET, AF_INET6 } from './rtnetlink-address.ts'
import { endpointOf, socketAddress } from './socket-address.ts'
import { MSG_DONTWAIT, MSG_NOSIGNAL, type Syscalls } from './syscall.ts'
import { WatchedSocket } from './watched-socket.ts'

const SOCK_DGRAM = 2
const IPPROTO_UDP = 17
export const IPPROTO_IP = 0
export const IPPROTO_IPV6 = 41
export const IP_TTL = 2
const IP_PKTINFO = 8
export const IP_MTU_DISCOVER = 10
export const IPV6_UNICAST_HOPS = 16
export const IPV6_MTU_DISCOVER = 23
export const IPV6_V6ONLY = 26
const IPV6_RECVPKTINFO = 49
const IPV6_PKTINFO = 50
export const IPV6_DONTFRAG = 62
const PMTUDISC_DONT = 0
const PMTUDISC_DO = 2

/** A socket of a type and protocol in a namespace, bound to a local end. */
export function boundSocket(
  sys: Syscalls,
  namespaceFd: number,
  local: LocalEndpoint,
  kind: { readonly type: number; readonly protocol: number },
  label: string,
): WatchedSocket {
  const { address = UNSPECIFIED_IPV4, port = 0 } = local
  const v6 = address.includes(':')
  const domain = v6 ? AF_INET6 : AF_INET
  const socket = WatchedSocket.open(sys, namespaceFd, { domain, ...kind }, label)
  try {
    const fd = socket.fd(label)
    if (v6) checked(sys.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), label)
    checked(sys.bind(fd, socketAddress({ address, port })), label)
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

export function localEndpoint(sys: Syscalls, socket: WatchedSocket, label: string): Endpoint {
  const address = sys.localAddress(socket.fd(label))
  if (typeof address === 'number') throw kernelError(address, label)
  return endpointOf(address)
}

/** How far and whether in fragments what is sent next may go. */
export class SendingMode {
  #ttl = 64
  #dontFragment: boolean | undefined

  apply(sys: Syscalls, fd: number, v6: boolean, options: SendOptions, label: string): void {
    const { ttl = 64, dontFragment = false } = options
    if (ttl !== this.#ttl) {
      const result = v6
        ? sys.setOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl)
        : sys.setOption(fd, IPPROTO_IP, IP_TTL, ttl)
      checked(result, label)
      this.#ttl = ttl
    }
    if (dontFragment !== this.#dontFragment) {
      const discover = dontFragment ? PMTUDISC_DO : PMTUDISC_DONT
      if (v6) {
        checked(sys.setOption(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, discover), label)
        checked(sys.setOption(fd, IPPROTO_IPV6, IPV6_DONTFRAG, dontFragment ? 1 : 0), label)
      } else {
        checked(sys.setOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, discover), label)
      }
      this.#dontFragment = dontFragment
    }
  }
}

export function udpSocket(sys: Syscalls, namespaceFd: number, at: LocalEndpoint = {}): UdpSocket {
  const label = `udp bind ${at.address ?? UNSPECIFIED_IPV4} port ${at.port ?? 0}`
  const socket = boundSocket(sys, namespaceFd, at, { type: SOCK_DGRAM, protocol: IPPROTO_UDP }, label)
  const mode = new SendingMode()
  const v6 = at.address?.includes(':') ?? false
  let local: Endpoint
  try {
    local = localEndpoint(sys, socket, label)
    const [level, option] = v6 ? [IPPROTO_IPV6, IPV6_RECVPKTINFO] : [IPPROTO_IP, IP_PKTINFO]
    checked(sys.setOption(socket.fd(label), level, option, 1), label)
  } catch (error) {
    socket.close()
    throw error
  }

  const send = async (data: Uint8Array, to: Endpoint, options: SendOptions = {}): Promise<void> => {
    const what = `udp send to ${to.address} port ${to.port}`
    if (to.address.includes(':') !== v6) {
      throw new KernelError('EAFNOSUPPORT', what, `the socket is bound to ${local.address}`)
    }
    const address = socketAddress(to)
    let octets = data
    await socket.attempt('writable', what, (fd) => {
      mode.apply(sys, fd, v6, options, what)
      const result = sys.send(fd, octets, MSG_DONTWAIT | MSG_NOSIGNAL, address)
      // It has to wait: the caller may reuse its buffer meanwhile.
      if (result < 0 && octets === data) octets = data.slice()
      return result
    })
  }
  const receive = async ({ signal }: WaitOptions = {}): Promise<Datagram> => {
    const what = `udp receive at ${local.address} port ${local.port}`
    const { data, from, control } = await socket.attempt<Exclude<ReturnType<Syscalls['receive']>, number>>(
      'readable',
      what,
      (fd) => sys.receive(fd, MSG_DONTWAIT),
      signal,
    )
    return {
      data,
      from: endpointOf(from),
      to: { address: addressedTo(control, v6) ?? local.address, port: local.port },
    }
  }
  const close = async () => socket.close()
  return {
    local,
    send,
    receive,
    close,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => untilClosed(receive),
  }
}

/** struct in_pktinfo (index, local address, address in the header), in6_pktinfo (address in the header, index). */
function addressedTo(control: Uint8Array, v6: boolean) {
  const info = v6
    ? controlData(control, IPPROTO_IPV6, IPV6_PKTINFO)
    : controlData(control, IPPROTO_IP, IP_PKTINFO)
  if (info === undefined || info.length < (v6 ? 20 : 12)) return undefined
  return v6 ? ipFromBytes(info, 0, 6) : ipFromBytes(info, 8, 4)
}

/** What `next` gives, until it says EBADF. */
export async function* untilClosed<T>(next: () => Promise<T>): AsyncGenerator<T, undefined> {
  for (;;) {
    try {
      yield await next()
    } catch (error) {
      if (error instanceof KernelError && error.code === 'EBADF') return
      throw error
    }
  }
}
