import type { Clock, Sockets } from '@podfabric/kernel'
import { echo } from './echo.ts'
import type { Syscalls } from './syscall.ts'
import { tcpConnect, tcpListener } from './tcp-socket.ts'
import { udpSocket } from './udp-socket.ts'

/** `namespaceFd` throws EBADF once the handle is disposed; open sockets go on. */
export function socketsIn(sys: Syscalls, clock: Clock, namespaceFd: () => number): Sockets {
  return {
    udp: async (local) => udpSocket(sys, namespaceFd(), local),
    listen: async (local) => tcpListener(sys, namespaceFd(), local),
    connect: async (remote, options = {}) => tcpConnect(sys, namespaceFd(), remote, options),
    echo: async (request) => echo(sys, namespaceFd(), clock, request),
  }
}
