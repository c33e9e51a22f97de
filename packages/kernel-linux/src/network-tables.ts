import {
  type Address,
  formatCommand,
  KernelError,
  type Link,
  type LinkChange,
  type LinkSpec,
  type Netns,
  type NftObject,
  type Operation,
  type Outcome,
  type RouteAnswer,
  type RouteQuery,
  type TableDriver,
} from '@podfabric/kernel'
import { addressOf, type Ip } from '@podfabric/netaddr'
import type { HeldNamespace } from './held-namespace.ts'
import { heldOf } from './held-namespace.ts'
import { unknownName } from './link-names.ts'
import type { NetlinkMessage, NetlinkWriter } from './netlink-message.ts'
import { NetlinkSocket } from './netlink-socket.ts'
import { applyNft, listNft } from './nft.ts'
import { addAddress, deleteAddress, listAddresses, readAddress } from './rtnetlink-address.ts'
import { addFdb, deleteFdb, listFdb, readFdb } from './rtnetlink-fdb.ts'
import {
  addLink,
  deleteLink,
  getLink,
  type LinkRow,
  listLinks,
  readLink,
  setLink,
  setPort,
} from './rtnetlink-link.ts'
import { addNeighbor, deleteNeighbor, listNeighbors, readNeighbor } from './rtnetlink-neighbor.ts'
import { addRoute, deleteRoute, listRoutes, lookupRoute, readAnswer, readRoute } from './rtnetlink-route.ts'
import { addRule, deleteRule, listRules, readRule } from './rtnetlink-rule.ts'
import type { Syscalls } from './syscall.ts'
import { readSysctl, writeSysctl } from './sysctl.ts'

/** The tables of one namespace over one netlink socket. */
export class NetworkTables implements TableDriver {
  readonly #sys: Syscalls
  readonly #held: HeldNamespace
  readonly #socket: NetlinkSocket
  /** Names that were looked up since the links last changed by us; only within one `apply`. */
  readonly #indexes = new Map<string, number>()

  constructor(sys: Syscalls, held: HeldNamespace) {
    this.#sys = sys
    this.#held = held
    this.#socket = new NetlinkSocket(sys, held.fd)
  }

  close(): void {
    this.#socket.close()
  }

  async apply(operations: readonly Operation[]): Promise<readonly Outcome[]> {
    const outcomes: Outcome[] = []
    this.#indexes.clear()
    for (const operation of operations) {
      try {
        await this.#perform(operation)
        outcomes.push({ ok: true })
      } catch (error) {
        if (!(error instanceof KernelError)) throw error
        outcomes.push({ ok: false, error })
      }
    }
    return outcomes
  }

  /** Returns a promise only where the kernel blocks: what is not awaited runs at once. */
  #perform(operation: Operation): Promise<void> | void {
    const label = () => formatCommand(operation)
    const send = (writer: NetlinkWriter) => void this.#socket.request(writer, label)
    const indexOf = (name: string) => this.#indexOf(name, label)
    switch (operation.op) {
      case 'link.add':
        return this.#addLink(operation.link, label)
      case 'link.set':
        return this.#setLink(operation.name, operation.change, label)
      case 'link.delete':
        return this.#aside(deleteLink(indexOf(operation.name)), label)
      case 'address.add':
        return this.#addAddress(operation.address, 'add', label)
      case 'address.replace':
        return this.#addAddress(operation.address, 'replace', label)
      case 'address.delete':
        return send(deleteAddress(operation.address, indexOf(operation.address.link)))
      case 'route.add':
        return send(addRoute(operation.route, indexOf, 'add'))
      case 'route.replace':
        return send(addRoute(operation.route, indexOf, 'replace'))
      case 'route.delete':
        return send(deleteRoute(operation.route, indexOf))
      case 'rule.add':
        return send(addRule(operation.rule))
      case 'rule.delete':
        return send(deleteRule(operation.rule))
      case 'neighbor.add':
        return send(addNeighbor(operation.neighbor, indexOf(operation.neighbor.link), 'add'))
      case 'neighbor.replace':
        return send(addNeighbor(operation.neighbor, indexOf(operation.neighbor.link), 'replace'))
      case 'neighbor.delete':
        return send(deleteNeighbor(operation.neighbor, indexOf(operation.neighbor.link)))
      case 'fdb.add':
        return send(addFdb(operation.entry, indexOf(operation.entry.link), 'add'))
      case 'fdb.replace':
        return send(addFdb(operation.entry, indexOf(operation.entry.link), 'replace'))
      case 'fdb.append':
        return send(addFdb(operation.entry, indexOf(operation.entry.link), 'append'))
      case 'fdb.delete':
        return send(deleteFdb(operation.entry, indexOf(operation.entry.link)))
      case 'sysctl.set':
        return writeSysctl(this.#sys, this.#held.fd, operation.name, operation.value, label)
      case 'nft.apply':
        return applyNft(this.#sys, this.#held.fd, operation.commands, label)
    }
  }

  #addLink(link: LinkSpec, label: () => string): void {
    const indexOf = (name: string) => this.#indexOf(name, label)
    const netnsFd = link.kind === 'veth' ? fdOf(link.peer.netns) : undefined
    this.#socket.request(addLink(link, indexOf, netnsFd), label)
    this.#indexes.clear()
    if (link.alias === undefined) return
    // The kernel takes an alias from links that exist only.
    const index = indexOf(link.name)
    try {
      this.#socket.request(setLink(index, { alias: link.alias }, indexOf, undefined), label)
    } catch (error) {
      this.#socket.request(deleteLink(index), label)
      throw error
    }
  }

  async #setLink(name: string, change: LinkChange, label: () => string): Promise<void> {
    const indexOf = (other: string) => this.#indexOf(other, label)
    const index = indexOf(name)
    const { port, netns, ...general } = change
    const writer = setLink(index, general, indexOf, fdOf(netns))
    this.#indexes.clear()
    if (netns === undefined) this.#socket.request(writer, label)
    else await this.#aside(writer, label)
    if (port !== undefined) this.#socket.request(setPort(index, port), label)
  }

  #addAddress(row: Address, verb: 'add' | 'replace', label: () => string): Promise<void> | void {
    this.#socket.request(addAddress(row, this.#indexOf(row.link, label), verb), label)
    if (row.noDad === true && row.address.includes(':')) return this.#routed(addressOf(row.address))
  }

  /**
   * The kernel adds the local route of an IPv6 address a moment later, from a worker; until then packets to it
   * find no one. Waits for that moment; on a link that is down it does not come, so not for long.
   */
  async #routed(destination: Ip): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt++) {
      const answer = await this.lookup({ destination }).catch((error: unknown) => {
        if (error instanceof KernelError) return undefined
        throw error
      })
      if (answer?.type === 'local') return
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** For what waits in the kernel for all processors: on a socket of its own, from another thread. */
  async #aside(writer: NetlinkWriter, label: () => string): Promise<void> {
    const socket = new NetlinkSocket(this.#sys, this.#held.fd)
    try {
      await socket.requestAside(writer, label)
    } finally {
      socket.close()
      this.#indexes.clear()
    }
  }

  #indexOf(name: string, label: () => string): number {
    const known = this.#indexes.get(name)
    if (known !== undefined) return known
    const { index } = this.#linkRow(name, label)
    this.#indexes.set(name, index)
    return index
  }

  #linkRow(which: string | number, label: string | (() => string)): LinkRow {
    const [message] = this.#socket.request(getLink(which), label)
    if (message === undefined)
      throw new KernelError('EPROTO', `ip link show ${which}`, 'the kernel sent no link')
    return readLink(message.payload)
  }

  /** Names of links by index, each asked for once. */
  #names(): (index: number) => string {
    const names = new Map<number, string>()
    return (index) => {
      let name = names.get(index)
      if (name === undefined) {
        name = this.#nameOf(index)
        names.set(index, name)
      }
      return name
    }
  }

  #nameOf(index: number): string {
    try {
      return this.#linkRow(index, 'ip link show').name
    } catch (error) {
      if (error instanceof KernelError && error.code === 'ENODEV') return unknownName(index)
      throw error
    }
  }

  async link(name: string): Promise<Link> {
    return this.#linkRow(name, `ip link show dev ${name}`).toLink(this.#names())
  }

  async links() {
    const rows = this.#socket.dump(listLinks, 'ip link').map((message) => readLink(message.payload))
    const names = new Map(rows.map((row) => [row.index, row.name]))
    return rows
      .toSorted((a, b) => a.index - b.index)
      .map((row) => row.toLink((index) => names.get(index) ?? unknownName(index)))
  }

  async addresses() {
    return this.#rows(this.#socket.dump(listAddresses, 'ip address'), readAddress)
  }

  async routes() {
    return [4, 6].flatMap((family) => {
      const list = () => listRoutes(family === 4 ? 4 : 6)
      return this.#rows(this.#socket.dump(list, 'ip route'), readRoute)
    })
  }

  async rules() {
    return [4, 6].flatMap((family) => {
      const list = () => listRules(family === 4 ? 4 : 6)
      return this.#rows(this.#socket.dump(list, 'ip rule'), readRule)
    })
  }

  async neighbors() {
    return ([4, 6] as const).flatMap((family) => [
      ...this.#rows(
        this.#socket.dump(() => listNeighbors(family, false), 'ip neighbor'),
        readNeighbor,
      ),
      ...this.#rows(
        this.#socket.dump(() => listNeighbors(family, true), 'ip neighbor show proxy'),
        readNeighbor,
      ),
    ])
  }

  async fdb() {
    return this.#rows(this.#socket.dump(listFdb, 'bridge fdb'), readFdb)
  }

  #rows<Row>(
    messages: readonly NetlinkMessage[],
    read: (payload: Uint8Array, nameOf: (index: number) => string) => Row | undefined,
  ): Row[] {
    const nameOf = this.#names()
    return messages.flatMap((message) => read(message.payload, nameOf) ?? [])
  }

  async lookup(query: RouteQuery): Promise<RouteAnswer> {
    const label = `ip route get ${query.destination}`
    this.#indexes.clear()
    const writer = lookupRoute(query, (name) => this.#indexOf(name, () => label))
    const [message] = this.#socket.request(writer, label)
    if (message === undefined) throw new KernelError('EPROTO', label, 'the kernel sent no route')
    const nameOf = this.#names()
    return readAnswer(message.payload, nameOf, (index) => this.#linkRow(index, label).toLink(nameOf).mtu)
  }

  async sysctl(name: string): Promise<string> {
    return readSysctl(this.#sys, this.#held.fd, name)
  }

  nft(): Promise<readonly NftObject[]> {
    return listNft(this.#sys, this.#held.fd)
  }
}

function fdOf(netns: Netns | undefined): number | undefined {
  return netns === undefined ? undefined : heldOf(netns).fd
}
