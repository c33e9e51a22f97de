import { KernelError } from '@podfabric/kernel'
import { checked, type Label, negated } from './errno.ts'
import type { HeldNamespace } from './held-namespace.ts'
import { netlinkMessages } from './netlink-message.ts'
import { NETLINK_ROUTE, type NetlinkRequest, type NetlinkResult, NetlinkSocket } from './netlink-socket.ts'
import { deleteGroup, deleteLink, type LinkRow, RTM_DELLINK, readLink, setGroup } from './rtnetlink-link.ts'
import { MSG_DONTWAIT, type Syscalls } from './syscall.ts'
import { WatchedSocket } from './watched-socket.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
const RTNLGRP_LINK = 1
const AF_BRIDGE = 7

/** The group of links whose deletion has been asked for; whoever deletes it does what was asked. */
const DOOMED = 0x706f6466
const GROUPABLE = new Set(['veth', 'bridge', 'vxlan'])

interface Wish {
  readonly row: LinkRow
  readonly operation: Label
  resolve(): void
  reject(reason: unknown): void
}

/** The removals of links in the namespaces of one kernel, each shared by all handles on its namespace. */
export class LinkRemovals {
  readonly #sys: Syscalls
  readonly #threads: number
  readonly #byNamespace = new WeakMap<HeldNamespace, LinkRemoval>()
  readonly #underWay = new Set<Promise<void>>()

  constructor(sys: Syscalls, threads: number) {
    this.#sys = sys
    this.#threads = threads
  }

  in(held: HeldNamespace): LinkRemoval {
    let removal = this.#byNamespace.get(held)
    if (removal === undefined) {
      removal = new LinkRemoval(this.#sys, held, this.#threads, (sending) => {
        this.#underWay.add(sending)
        void sending.finally(() => this.#underWay.delete(sending))
      })
      this.#byNamespace.set(held, removal)
    }
    return removal
  }

  /** When the kernel is done with everything that was asked for, and every descriptor is closed. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
  }
}

/**
 * Deletes links. The sender of such a request waits in the kernel for all processors, some 20 ms after the link is gone: so
 * it is sent from another thread, and what answers is the kernel's message to everybody that the link is gone. What is
 * asked for while all threads wait goes as one group in one request, which waits once.
 */
export class LinkRemoval {
  readonly #sys: Syscalls
  readonly #held: HeldNamespace
  readonly #tell: (sending: Promise<void>) => void
  #queue: Wish[] = []
  readonly #sent = new Map<number, Wish[]>()
  #threads = 0
  readonly #limit: number
  #listener: WatchedSocket | undefined

  constructor(sys: Syscalls, held: HeldNamespace, limit: number, tell: (sending: Promise<void>) => void) {
    this.#sys = sys
    this.#held = held
    this.#limit = limit
    this.#tell = tell
  }

  /** When it returns, the link is gone and its name free. ENODEV, EOPNOTSUPP. */
  remove(row: LinkRow, operation: Label): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ row, operation, resolve, reject })
      // Whatever is asked for in the same turn goes together.
      if (this.#queue.length === 1) setImmediate(() => this.#next())
    })
  }

  #next(): void {
    if (this.#queue.length === 0 || this.#threads >= this.#limit) return
    const wishes = this.#queue
    this.#queue = []
    this.#threads += 1
    let socket: NetlinkSocket
    try {
      this.#held.hold()
      try {
        socket = new NetlinkSocket(this.#sys, this.#held.fd)
        this.#listen()
      } catch (error) {
        this.#held.release()
        throw error
      }
    } catch (error) {
      this.#threads -= 1
      for (const wish of wishes) wish.reject(error)
      return
    }
    for (const wish of wishes) {
      const same = this.#sent.get(wish.row.index)
      if (same === undefined) this.#sent.set(wish.row.index, [wish])
      else same.push(wish)
    }
    const sending = this.#send(socket, wishes).finally(() => {
      socket.close()
      this.#threads -= 1
      for (const { row } of wishes) this.#sent.delete(row.index)
      if (this.#threads === 0) this.#deafen()
      this.#held.release()
      this.#next()
    })
    this.#tell(sending)
  }

  /** The results of the requests; of no matter for those that the kernel's message has answered before. */
  async #send(socket: NetlinkSocket, wishes: readonly Wish[]): Promise<void> {
    try {
      const left = wishes.length === 1 ? wishes : await this.#sendGroup(socket, wishes)
      const results = await socket.requestsAside(left.map(requestFor))
      for (const [i, wish] of left.entries()) settle(wish, results[i])
    } catch (error) {
      for (const wish of wishes) wish.reject(error)
    }
  }

  /** Those that could not go as a group. */
  async #sendGroup(socket: NetlinkSocket, wishes: readonly Wish[]): Promise<readonly Wish[]> {
    const able = wishes.filter(({ row }) => GROUPABLE.has(row.kind ?? ''))
    const marks = socket.requests(
      able.map(({ row, operation }) => ({ writer: setGroup(row.index, DOOMED), operation })),
    )
    const marked = able.filter((_, i) => marks[i] === undefined)
    if (marked.length === 0) return wishes
    const operation = 'ip link delete group'
    const [refused] = await socket.requestsAside([{ writer: deleteGroup(DOOMED), operation }])
    // ENODEV: another process was quicker to delete the group. Each request then finds its own answer.
    if (refused !== undefined) return wishes
    for (const wish of marked) wish.resolve()
    return wishes.filter((wish) => !marked.includes(wish))
  }

  #listen(): void {
    if (this.#listener !== undefined) return
    const label = 'ip monitor link'
    const kind = { domain: AF_NETLINK, type: SOCK_RAW, protocol: NETLINK_ROUTE }
    const listener = WatchedSocket.open(this.#sys, this.#held.fd, kind, label)
    try {
      const address = Uint8Array.of(AF_NETLINK, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
      checked(this.#sys.bind(listener.fd(label), address), label)
      checked(
        this.#sys.setOption(listener.fd(label), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, RTNLGRP_LINK),
        label,
      )
    } catch (error) {
      listener.close()
      throw error
    }
    this.#listener = listener
    void this.#hear(listener, label)
  }

  async #hear(listener: WatchedSocket, label: Label): Promise<void> {
    try {
      for (;;) {
        const received = await listener.attempt('readable', label, (fd) => {
          const result = this.#sys.receive(fd, MSG_DONTWAIT)
          // Messages were lost: the requests' own results will answer.
          return result === ENOBUFS ? EAGAIN : result
        })
        if (typeof received === 'number') continue
        for (const { type, payload } of netlinkMessages(received.data)) {
          if (type !== RTM_DELLINK) continue
          const { family, index } = readLink(payload)
          // A message of a bridge about a port that leaves it: the link is still there.
          if (family === AF_BRIDGE) continue
          for (const wish of this.#sent.get(index) ?? []) wish.resolve()
        }
      }
    } catch (error) {
      // Closed when nothing is under way. Anything else leaves the answering to the requests' own results.
      if (!(error instanceof KernelError)) throw error
      if (this.#listener === listener) this.#deafen()
    }
  }

  #deafen(): void {
    this.#listener?.close()
    this.#listener = undefined
  }
}

const ENOBUFS = negated('ENOBUFS')
const EAGAIN = negated('EAGAIN')

function requestFor({ row, operation }: Wish): NetlinkRequest {
  return { writer: deleteLink(row.index), operation }
}

function settle(wish: Wish, result: NetlinkResult): void {
  if (result === undefined) wish.resolve()
  else wish.reject(result)
}
