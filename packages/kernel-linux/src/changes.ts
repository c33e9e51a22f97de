import { type Change, type ChangeType, KernelError } from '@podfabric/kernel'
import { checked, negated } from './errno.ts'
import { unknownName } from './link-names.ts'
import { type NetlinkMessage, netlinkMessages } from './netlink-message.ts'
import { NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts'
import { RTM_DELADDR, RTM_NEWADDR, readAddress } from './rtnetlink-address.ts'
import { AF_BRIDGE, readFdb } from './rtnetlink-fdb.ts'
import { listLinks, RTM_DELLINK, RTM_NEWLINK, readLink } from './rtnetlink-link.ts'
import { RTM_DELNEIGH, RTM_NEWNEIGH, readNeighbor } from './rtnetlink-neighbor.ts'
import { RTM_DELROUTE, RTM_NEWROUTE, readRoute } from './rtnetlink-route.ts'
import { RTM_DELRULE, RTM_NEWRULE, readRule } from './rtnetlink-rule.ts'
import { MSG_DONTWAIT, type Received, type Syscalls } from './syscall.ts'
import { WatchedSocket } from './watched-socket.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
/** Links, neighbors (and bridges' entries), then addresses, routes and rules of IPv4 and of IPv6. */
const GROUPS = [1, 3, 5, 7, 8, 9, 11, 19]
const ENOBUFS = negated('ENOBUFS')
const label = 'ip monitor'

/**
 * Changes from the multicast groups of rtnetlink. The kernel keeps what was not read yet in the socket's
 * buffer (net.core.rmem_default octets); when that is full it drops, and says so.
 */
export function changesIn(
  sys: Syscalls,
  namespaceFd: number,
  signal: AbortSignal | undefined,
): AsyncIterable<Change> {
  const kind = { domain: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_ROUTE }
  const socket = WatchedSocket.open(sys, namespaceFd, kind, label)
  let names: Map<number, string>
  try {
    // struct sockaddr_nl. Without a port of its own it would pass for the sender, who is not told.
    const address = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    checked(sys.bind(socket.fd(label), address), label)
    for (const group of GROUPS) {
      checked(sys.setOption(socket.fd(label), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group), label)
    }
    names = namesOfLinks(sys, namespaceFd)
  } catch (error) {
    socket.close()
    throw error
  }
  const close = () => socket.close()
  if (signal?.aborted) close()
  else signal?.addEventListener('abort', close, { once: true })

  const drain = (): void => {
    for (;;) {
      const received = sys.receive(socket.fd(label), MSG_DONTWAIT)
      if (received === ENOBUFS) continue
      if (typeof received === 'number') return
    }
  }
  async function* read(): AsyncGenerator<Change, undefined> {
    try {
      while (!(signal?.aborted ?? false)) {
        const received = await socket.attempt<Received | typeof overrun>('readable', label, (fd) => {
          const result = sys.receive(fd, MSG_DONTWAIT)
          return result === ENOBUFS ? overrun : result
        })
        if (received === overrun) {
          // What is left in the buffer is older than what was lost: a list taken now is newer than all of it.
          drain()
          names = namesOfLinks(sys, namespaceFd)
          yield { table: 'overrun' }
          continue
        }
        if (!('data' in received)) continue
        for (const message of netlinkMessages(received.data)) {
          const change = readChange(message, names)
          if (change !== undefined) yield change
        }
      }
    } catch (error) {
      // Closed by the signal: the end that was asked for.
      if (!(error instanceof KernelError && error.code === 'EBADF' && signal?.aborted === true)) throw error
    } finally {
      signal?.removeEventListener('abort', close)
      socket.close()
    }
  }
  return read()
}

const overrun = Object.freeze({ overrun: true })

function namesOfLinks(sys: Syscalls, namespaceFd: number): Map<number, string> {
  const socket = new NetlinkSocket(sys, namespaceFd)
  try {
    const rows = socket.dump(listLinks, label).map((message) => readLink(message.payload))
    return new Map(rows.map((row) => [row.index, row.name]))
  } finally {
    socket.close()
  }
}

/** Keeps `names` up to date by the way. */
function readChange({ type, payload }: NetlinkMessage, names: Map<number, string>): Change | undefined {
  const nameOf = (index: number) => names.get(index) ?? unknownName(index)
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const row = readLink(payload)
      // A message of a bridge about its port: the link itself is told of in one of its own.
      if (row.family === AF_BRIDGE) return undefined
      names.set(row.index, row.name)
      return { table: 'links', type: typeOf(type, RTM_NEWLINK), row: row.toLink(nameOf) }
    }
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return changed('addresses', typeOf(type, RTM_NEWADDR), readAddress(payload, nameOf))
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return changed('routes', typeOf(type, RTM_NEWROUTE), readRoute(payload, nameOf))
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return changed('rules', typeOf(type, RTM_NEWRULE), readRule(payload))
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH: {
      const change = typeOf(type, RTM_NEWNEIGH)
      return payload[0] === AF_BRIDGE
        ? changed('fdb', change, readFdb(payload, nameOf))
        : changed('neighbors', change, readNeighbor(payload, nameOf))
    }
    default:
      return undefined
  }
}

function typeOf(type: number, newType: number): ChangeType {
  return type === newType ? 'new' : 'gone'
}

type Told = Exclude<Change, { readonly table: 'overrun' }>

function changed<T extends Told['table']>(
  table: T,
  type: ChangeType,
  row: Extract<Told, { readonly table: T }>['row'] | undefined,
): Change | undefined {
  // The three belong together by the signature, which the union cannot be told.
  return row === undefined ? undefined : ({ table, type, row } as Told)
}
