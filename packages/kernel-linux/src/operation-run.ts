import {
  formatCommand,
  isSameSetting,
  KernelError,
  type LinkSpec,
  type Operation,
  type Outcome,
} from '@podfabric/kernel'
import { addressOf, type Ip } from '@podfabric/netaddr'
import type { HeldNamespace } from './held-namespace.ts'
import { heldOf } from './held-namespace.ts'
import type { LinkRemoval } from './link-removal.ts'
import type { NetlinkWriter } from './netlink-message.ts'
import { type NetlinkRequest, NetlinkSocket } from './netlink-socket.ts'
import { applyNft } from './nft.ts'
import { addAddress, deleteAddress } from './rtnetlink-address.ts'
import { addFdb, deleteFdb } from './rtnetlink-fdb.ts'
import {
  addLink,
  deleteLink,
  getLink,
  type LinkRow,
  RTM_NEWLINK,
  readLink,
  setLink,
  setPort,
} from './rtnetlink-link.ts'
import { addNeighbor, deleteNeighbor } from './rtnetlink-neighbor.ts'
import { addRoute, deleteRoute } from './rtnetlink-route.ts'
import { addRule, deleteRule } from './rtnetlink-rule.ts'
import type { Syscalls } from './syscall.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

const succeeded: Outcome = Object.freeze({ ok: true })

export interface RunSite {
  readonly sys: Syscalls
  readonly held: HeldNamespace
  readonly socket: NetlinkSocket
  readonly removal: LinkRemoval
  /** Whether the kernel delivers packets to an address already. */
  isLocal(address: Ip): Promise<boolean>
}

type OperationOf<Op extends Operation['op']> = Extract<Operation, { readonly op: Op }>
type Removal = OperationOf<'link.delete'>

/**
 * One `apply`. Operations that are one netlink message each gather, and go in one send as soon as something has to wait for
 * them: an operation of another kind, or a name that one of them may have given or taken away.
 */
export class OperationRun {
  readonly #site: RunSite
  readonly #outcomes: Outcome[] = []
  #waiting: { at: number; request: NetlinkRequest }[] = []
  /** Addresses in what waits that packets shall reach when `apply` returns. */
  #arriving: { at: number; address: Ip }[] = []
  /** Names that were looked up and still hold. */
  readonly #indexes = new Map<string, number>()
  /** Whether something that waits may change what a name stands for. */
  #renames = false

  constructor(site: RunSite) {
    this.#site = site
  }

  /** One outcome for each operation, in order. */
  async run(operations: readonly Operation[]): Promise<readonly Outcome[]> {
    try {
      for (let at = 0; at < operations.length; at++) {
        const operation = operations[at]
        if (operation === undefined) continue
        if (operation.op === 'link.delete') {
          const removals = [operation]
          for (
            let next = operations[at + 1];
            next?.op === 'link.delete';
            next = operations[at + removals.length]
          ) {
            removals.push(next)
          }
          await this.#flush()
          await this.#remove(at, removals)
          at += removals.length - 1
          continue
        }
        try {
          await this.#perform(at, operation)
        } catch (error) {
          if (!(error instanceof KernelError)) throw error
          this.#outcomes[at] = { ok: false, error }
        }
      }
    } finally {
      // Also when an operation was a mistake of the caller: those before it are applied.
      await this.#flush()
    }
    return this.#outcomes
  }

  /** Gathers the operation, or applies it; in that case everything before it is applied. */
  #perform(at: number, operation: Exclude<Operation, Removal>): Promise<void> | void {
    const label = () => formatCommand(operation)
    const indexOf = (name: string) => this.#indexOf(name, label)
    const gather = (writer: NetlinkWriter) =>
      void this.#waiting.push({ at, request: { writer, operation: label } })
    switch (operation.op) {
      case 'link.add':
        return this.#addLink(at, operation.link, label)
      case 'link.set':
        return this.#setLink(at, operation, label)
      case 'address.add':
      case 'address.replace': {
        const { address: row, op } = operation
        gather(addAddress(row, indexOf(row.link), op === 'address.add' ? 'add' : 'replace'))
        if (row.noDad === true && row.address.includes(':')) {
          this.#arriving.push({ at, address: addressOf(row.address) })
        }
        return
      }
      case 'address.delete':
        return gather(deleteAddress(operation.address, indexOf(operation.address.link)))
      case 'route.add':
        return gather(addRoute(operation.route, indexOf, 'add'))
      case 'route.replace':
        return gather(addRoute(operation.route, indexOf, 'replace'))
      case 'route.delete':
        return gather(deleteRoute(operation.route, indexOf))
      case 'rule.add':
        return gather(addRule(operation.rule))
      case 'rule.delete':
        return gather(deleteRule(operation.rule))
      case 'neighbor.add':
        return gather(addNeighbor(operation.neighbor, indexOf(operation.neighbor.link), 'add'))
      case 'neighbor.replace':
        return gather(addNeighbor(operation.neighbor, indexOf(operation.neighbor.link), 'replace'))
      case 'neighbor.delete':
        return gather(deleteNeighbor(operation.neighbor, indexOf(operation.neighbor.link)))
      case 'fdb.add':
        return gather(addFdb(operation.entry, indexOf(operation.entry.link), 'add'))
      case 'fdb.replace':
        return gather(addFdb(operation.entry, indexOf(operation.entry.link), 'replace'))
      case 'fdb.append':
        return gather(addFdb(operation.entry, indexOf(operation.entry.link), 'append'))
      case 'fdb.delete':
        return gather(deleteFdb(operation.entry, indexOf(operation.entry.link)))
      case 'sysctl.set':
        return this.#after(at, () => {
          const { sys, held } = this.#site
          const { name, value, ifDiffers } = operation
          if (ifDiffers && isSameSetting(readSysctl(sys, held.fd, name), value)) return
          writeSysctl(sys, held.fd, name, value, label)
        })
      case 'nft.apply':
        return this.#after(at, () => applyNft(this.#site.sys, this.#site.held.fd, operation.commands, label))
    }
  }

  async #after(at: number, act: () => Promise<void> | void): Promise<void> {
    await this.#flush()
    await act()
    this.#outcomes[at] = succeeded
  }

  #addLink(at: number, link: LinkSpec, label: () => string): void {
    const netns = link.kind === 'veth' ? link.peer.netns : undefined
    const hasAlias = link.alias !== undefined
    const writer = addLink(link, (name) => this.#indexOf(name, label), netns && heldOf(netns).fd, hasAlias)
    if (!hasAlias) {
      this.#waiting.push({ at, request: { writer, operation: label } })
      this.#renames = true
      return
    }
    // The kernel takes an alias from links that exist only; and this one must not reach another's link of that name.
    this.#send()
    const { socket } = this.#site
    const told = socket
      .request(writer, label)
      .filter(({ type }) => type === RTM_NEWLINK)
      .map(({ payload }) => readLink(payload))
      .find(({ name }) => name === link.name)
    const index = told?.index ?? this.#indexOf(link.name, label)
    this.#indexes.set(link.name, index)
    try {
      socket.request(
        setLink(index, { alias: link.alias }, () => index, undefined),
        label,
      )
    } catch (error) {
      socket.request(deleteLink(index), label)
      this.#indexes.clear()
      throw error
    }
    this.#outcomes[at] = succeeded
  }

  #setLink(at: number, { name, change }: OperationOf<'link.set'>, label: () => string): Promise<void> | void {
    const indexOf = (other: string) => this.#indexOf(other, label)
    const index = indexOf(name)
    const { port, netns, ...general } = change
    const writer = setLink(index, general, indexOf, netns && heldOf(netns).fd)
    if (netns === undefined && port === undefined) {
      this.#waiting.push({ at, request: { writer, operation: label } })
      if (change.name !== undefined) {
        this.#indexes.clear()
        this.#renames = true
      }
      return
    }
    return this.#after(at, async () => {
      const { sys, held, socket } = this.#site
      this.#indexes.clear()
      if (netns === undefined) {
        socket.request(writer, label)
      } else {
        // The kernel waits for all processors: from another thread, on a socket of its own.
        const aside = new NetlinkSocket(sys, held.fd)
        try {
          const [refused] = await aside.requestsAside([{ writer, operation: label }])
          if (refused !== undefined) throw refused
        } finally {
          aside.close()
        }
      }
      if (port !== undefined) socket.request(setPort(index, port), label)
    })
  }

  /** Links one after the other in name, all at once in time: those of them that are ends of one pair apart. */
  async #remove(first: number, removals: readonly Removal[]): Promise<void> {
    const { removal } = this.#site
    let begun: Promise<void>[] = []
    const indexes = new Set<number>()
    for (const [offset, operation] of removals.entries()) {
      const at = first + offset
      const label = () => formatCommand(operation)
      const fail = (error: unknown) => {
        if (!(error instanceof KernelError)) throw error
        this.#outcomes[at] = { ok: false, error }
      }
      try {
        let row = this.#row(operation.name, label)
        if (indexes.has(row.index) || (row.pair !== undefined && indexes.has(row.pair))) {
          // Named twice, or the other end of one before: what it finds depends on that one.
          await Promise.all(begun)
          begun = []
          indexes.clear()
          row = this.#row(operation.name, label)
        }
        indexes.add(row.index)
        const done = () => {
          this.#outcomes[at] = succeeded
        }
        begun.push(removal.remove(row, label).then(done, fail))
      } catch (error) {
        fail(error)
      }
    }
    await Promise.all(begun)
    this.#indexes.clear()
  }

  async #flush(): Promise<void> {
    this.#send()
    const arriving = this.#arriving
    this.#arriving = []
    for (const { at, address } of arriving) if (this.#outcomes[at]?.ok === true) await this.#arrived(address)
  }

  #send(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    this.#waiting = []
    this.#renames = false
    const results = this.#site.socket.requests(waiting.map(({ request }) => request))
    for (const [i, { at }] of waiting.entries()) {
      const error = results[i]
      this.#outcomes[at] = error === undefined ? succeeded : { ok: false, error }
    }
  }

  /**
   * The kernel adds the local route of an IPv6 address a moment later, from a worker; until then packets to it
   * find no one. Waits for that moment; on a link that is down it does not come, so not for long.
   */
  async #arrived(address: Ip): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt++) {
      if (await this.#site.isLocal(address)) return
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #indexOf(name: string, label: () => string): number {
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    if (this.#renames) this.#send()
    const { index } = this.#row(name, label)
    this.#indexes.set(name, index)
    return index
  }

  #row(name: string, label: () => string): LinkRow {
    return readLink(this.#site.socket.question(getLink(name), label).payload)
  }
}
