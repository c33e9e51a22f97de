import {
  type ConnectOptions,
  type Endpoint,
  KernelError,
  type LocalEndpoint,
  type TcpConnection,
  type TcpListener,
  type WaitOptions,
} from '@podfabric/kernel'
import { UNSPECIFIED_IPV4, UNSPECIFIED_IPV6 } from '@podfabric/netaddr'
import { checked, kernelError, negated } from './errno.ts'
import { AF_INET, AF_INET6 } from './rtnetlink-address.ts'
import { endpointOf, socketAddress } from './socket-address.ts'
import { MSG_DONTWAIT, MSG_NOSIGNAL, type Received, type Syscalls } from './syscall.ts'
import { boundSocket, IPPROTO_IPV6, IPV6_V6ONLY, localEndpoint, untilClosed } from './udp-socket.ts'
import { WatchedSocket } from './watched-socket.ts'

const SOCK_STREAM = 1
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_LINGER = 13
const SHUT_WR = 1
const BACKLOG = 511
const EINPROGRESS = -115

export function tcpListener(sys: Syscalls, namespaceFd: number, at: LocalEndpoint): TcpListener {
  const { address = UNSPECIFIED_IPV4, port = 0 } = at
  const label = `tcp listen ${address} port ${port}`
  const v6 = address.includes(':')
  const kind = { domain: v6 ? AF_INET6 : AF_INET, type: SOCK_STREAM, protocol: IPPROTO_TCP }
  const socket = WatchedSocket.open(sys, namespaceFd, kind, label)
  let local: Endpoint
  try {
    const fd = socket.fd(label)
    // Connections of an earlier listener that are still dying must not keep the port.
    checked(sys.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1), label)
    if (v6) checked(sys.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), label)
    checked(sys.bind(fd, socketAddress({ address, port })), label)
    checked(sys.listen(fd, BACKLOG), label)
    local = localEndpoint(sys, socket, label)
  } catch (error) {
    socket.close()
    throw error
  }
  const accept = async ({ signal }: WaitOptions = {}): Promise<TcpConnection> => {
    const what = `tcp accept at ${local.address} port ${local.port}`
    for (;;) {
      const fd = await socket.attempt<number>('readable', what, (listening) => sys.accept(listening), signal)
      const accepted = new WatchedSocket(sys, fd)
      // One that was reset meanwhile has no remote address any more; the next one, then.
      const remote = sys.remoteAddress(fd)
      if (typeof remote !== 'number') return connection(sys, accepted, endpointOf(remote))
      accepted.close()
    }
  }
  const close = async () => socket.close()
  return {
    local,
    accept,
    close,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => untilClosed(accept),
  }
}

export async function tcpConnect(
  sys: Syscalls,
  namespaceFd: number,
  remote: Endpoint,
  { local = {}, signal }: ConnectOptions,
): Promise<TcpConnection> {
  signal?.throwIfAborted()
  const label = `tcp connect to ${remote.address} port ${remote.port}`
  const any = remote.address.includes(':') ? UNSPECIFIED_IPV6 : UNSPECIFIED_IPV4
  const kind = { type: SOCK_STREAM, protocol: IPPROTO_TCP }
  const socket = boundSocket(sys, namespaceFd, { address: any, ...local }, kind, label)
  try {
    const started = sys.connect(socket.fd(label), socketAddress(remote))
    if (started === EINPROGRESS) {
      await socket.ready('writable', label, signal)
      checked(-checked(sys.getOption(socket.fd(label), SOL_SOCKET, SO_ERROR), label), label)
    } else {
      checked(started, label)
    }
    return connection(sys, socket, remote)
  } catch (error) {
    socket.close()
    throw error
  }
}

function connection(sys: Syscalls, socket: WatchedSocket, remote: Endpoint): TcpConnection {
  const about = `to ${remote.address} port ${remote.port}`
  const local = localEndpoint(sys, socket, `tcp connection ${about}`)
  checked(sys.setOption(socket.fd(about), IPPROTO_TCP, TCP_NODELAY, 1), `tcp connection ${about}`)
  let ended = false
  let finished = false
  let writing: Promise<unknown> = Promise.resolve()

  const read = async ({ signal }: WaitOptions = {}): Promise<Uint8Array | undefined> => {
    const label = `tcp read ${about}`
    signal?.throwIfAborted()
    socket.fd(label)
    if (ended) return undefined
    const received = await socket.attempt<Received>(
      'readable',
      label,
      (fd) => sys.receive(fd, MSG_DONTWAIT),
      signal,
    )
    if (received.data.length > 0) return received.data
    ended = true
    return undefined
  }
  const writeAll = async (data: Uint8Array): Promise<void> => {
    const label = `tcp write ${about}`
    if (finished) throw new KernelError('EPIPE', label, 'this side has finished')
    for (let rest = data; rest.length > 0; ) {
      const piece = rest
      const taken = await socket.attempt<number>('writable', label, (fd) =>
        sys.send(fd, piece, MSG_DONTWAIT | MSG_NOSIGNAL),
      )
      rest = rest.subarray(taken)
    }
  }
  /** Writes and the end go out in the order of their calls. */
  const inOrder = <T>(act: () => Promise<T>): Promise<T> => {
    const done = writing.then(act)
    writing = done.catch(() => undefined)
    return done
  }
  const finish = () =>
    inOrder(async () => {
      if (finished) return
      const label = `tcp finish ${about}`
      const result = sys.shutdown(socket.fd(label), SHUT_WR)
      // Not connected any more: the other side has reset, and reading says so.
      if (result < 0 && result !== negated('ENOTCONN')) throw kernelError(result, label)
      finished = true
    })
  const close = async () => {
    await writing
    socket.close()
  }
  const reset = async () => {
    const label = `tcp reset ${about}`
    // struct linger: on, for no time.
    checked(
      sys.setOption(socket.fd(label), SOL_SOCKET, SO_LINGER, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)),
      label,
    )
    socket.close()
  }
  return {
    local,
    remote,
    read,
    write: (data) => inOrder(() => writeAll(data)),
    finish,
    close,
    reset,
    [Symbol.asyncDispose]: close,
    [Symbol.asyncIterator]: () => octets(read),
  }
}

async function* octets(read: () => Promise<Uint8Array | undefined>): AsyncGenerator<Uint8Array, undefined> {
  for (let part = await read(); part !== undefined; part = await read()) yield part
}
